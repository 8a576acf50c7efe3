"""Fetching over TLS: certificates, broken connections and slow servers."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.http import guarded_http
from ingestion.polling.fetch import FetchLimits
from ingestion.polling.tests.fetching import failure_of, get
from ingestion.polling.tests.scripted_server import ScriptedServer, Visit, answer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for feeds.example that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "feeds.example")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("feeds.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    written_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "feeds.example.pem"
    path.write_bytes(written_key + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SSLContext]:
    """Return the TLS of a server whose certificate the client trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    guarded_http.tls_context.cache_clear()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    yield context
    guarded_http.tls_context.cache_clear()


def test_https_checks_the_certificate_against_the_name_not_the_address(
    serve: Callable[..., ScriptedServer], server_tls: SSLContext, resolve: dict[str, str]
) -> None:
    server = serve(answer(b"x" * 100_000), tls=server_tls)
    resolve.update({"feeds.example": "127.0.0.1", "feeds.example.": "127.0.0.1", "other.example": "127.0.0.1"})

    assert get(f"https://feeds.example:{server.port}/").size_bytes == 100_000
    assert get(f"https://feeds.example.:{server.port}/").size_bytes == 100_000
    failure = failure_of(f"https://other.example:{server.port}/")
    assert (failure.reason, "certificate" in failure.message) == ("tls_failed", True)
    assert failure_of(f"https://127.0.0.1:{server.port}/").reason == "tls_failed"


def test_an_untrusted_certificate_is_refused(
    serve: Callable[..., ScriptedServer],
    server_tls: SSLContext,
    resolve: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    guarded_http.tls_context.cache_clear()
    server = serve(answer(b"x"), tls=server_tls)
    resolve["feeds.example"] = "127.0.0.1"

    assert failure_of(f"https://feeds.example:{server.port}/").reason == "tls_failed"
    assert server.heads == []


def test_a_server_without_tls_is_reported_as_a_tls_failure(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(lambda visit: visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), reads_request=False)

    assert failure_of(f"https://127.0.0.1:{server.port}/").reason in ("tls_failed", "connection_failed")


def test_a_redirect_from_https_to_http_is_refused(
    serve: Callable[..., ScriptedServer], server_tls: SSLContext, resolve: dict[str, str]
) -> None:
    plain = serve(answer(b"x"))
    server = serve(answer(status="302 Found", headers=f"Location: {plain.url}/\r\n"), tls=server_tls)
    resolve["feeds.example"] = "127.0.0.1"

    assert failure_of(f"https://feeds.example:{server.port}/").reason == "insecure_redirect"
    assert plain.heads == []


def test_a_slowly_sending_tls_server_meets_the_deadline(
    serve: Callable[..., ScriptedServer], server_tls: SSLContext, resolve: dict[str, str]
) -> None:
    def script(visit: Visit) -> None:
        visit.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        visit.drip(b"a")

    server = serve(script, tls=server_tls)
    resolve["feeds.example"] = "127.0.0.1"

    failure = failure_of(f"https://feeds.example:{server.port}/", limits=FetchLimits(total_seconds=0.3))

    assert failure.reason == "timeout"


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x03\x3f\x00\x02\x00\x3e\xfc"], ids=["silent", "dripping"])
def test_an_endless_handshake_meets_the_deadline(serve: Callable[..., ScriptedServer], begin: bytes) -> None:
    def script(visit: Visit) -> None:
        visit.send(begin)
        visit.drip(b"\0") if begin else visit.hang()

    server = serve(script, reads_request=False)
    limits = FetchLimits(connect_seconds=5, total_seconds=0.3)
    started = time.monotonic()

    failure = failure_of(f"https://127.0.0.1:{server.port}/", limits=limits)

    assert failure.reason == "timeout"
    assert time.monotonic() - started < 2


def test_a_truncated_tls_response_is_cut_off(
    serve: Callable[..., ScriptedServer], server_tls: SSLContext, resolve: dict[str, str]
) -> None:
    server = serve(answer(b"row 1\nro", length=100), tls=server_tls)
    resolve["feeds.example"] = "127.0.0.1"

    fetched = get(f"https://feeds.example:{server.port}/")

    assert (fetched.body.read(), fetched.is_cut_off) == (b"row 1\nro", True)
