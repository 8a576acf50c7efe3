"""Certificates of an authority that a test makes, for servers that the test starts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Authority:
    """An authority that no system trusts. `issue` returns a file with a key and a certificate."""

    folder: Path
    name: str = "Test authority"
    _key: ec.EllipticCurvePrivateKey = field(default_factory=_new_key)

    @property
    def pem(self) -> str:
        """The authority's own certificate, to be trusted."""
        certificate = self._sign(self.name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, host: str) -> Path:
        """Return a key and a certificate for a host name or an IPv4 address."""
        key = _new_key()
        is_address = host.replace(".", "").isdigit()
        name = x509.IPAddress(IPv4Address(host)) if is_address else x509.DNSName(host)
        certificate = self._sign(host, key, x509.SubjectAlternativeName([name]))
        path = self.folder / f"{host}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    def server_context(self, host: str) -> ssl.SSLContext:
        """Return the TLS of a server with this name or address."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.issue(host))
        return context

    def _sign(self, subject: str, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(_name(self.name), _name(subject), key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2000))
            .not_valid_after(now + timedelta(days=2000))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(self._key, hashes.SHA256())
        )
