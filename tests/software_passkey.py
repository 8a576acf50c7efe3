"""A passkey in software: it is registered for a person, and answers what the server asks for."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.contrib.auth.models import User
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

FLAG = AuthenticatorData.FLAG

# Its flags announce extensions, which are missing.
_CUT_OFF = bytes(32) + bytes([FLAG.ED]) + bytes(4)
DAMAGED_ANSWER = json.dumps(
    {
        "id": "AAAA",
        "rawId": "AAAA",
        "type": "public-key",
        "response": {
            "clientDataJSON": websafe_encode(
                b'{"type": "webauthn.get", "challenge": "AAAA", "origin": "http://testserver"}'
            ),
            "authenticatorData": websafe_encode(_CUT_OFF),
            "signature": "AAAA",
        },
    }
)


def registration(attestation_object: bytes, origin: object = "http://testserver", challenge: str = "AAAA") -> str:
    """Return what a browser sends to register a passkey with this attestation object."""
    client_data = json.dumps({"type": "webauthn.create", "challenge": challenge, "origin": origin}).encode()
    response = {
        "clientDataJSON": websafe_encode(client_data),
        "attestationObject": websafe_encode(attestation_object),
    }
    return json.dumps({"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response})


@dataclass
class SoftwarePasskey:
    """A key pair of a person at this site; `verifies`: whether it asks for a PIN before it answers."""

    user: User
    verifies: bool = True
    site: str = "http://testserver"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def register(self) -> SoftwarePasskey:
        """Store it with the account, as the page that adds passkeys does."""
        public_key = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]  # fido2's
        known = AttestedCredentialData.create(bytes(16), self.credential_id, public_key)
        stored = AuthenticatorData.create(self._site_hash, FLAG.UP | FLAG.UV | FLAG.AT, 0, known)
        response = {
            "clientDataJSON": websafe_encode(self._client_data("webauthn.create", "AAAA")),
            "attestationObject": websafe_encode(AttestationObject.create("none", stored, {})),
        }
        data = {"name": "Software", "credential": self._credential(response)}
        Authenticator.objects.create(user=self.user, type=Authenticator.Type.WEBAUTHN, data=data)
        return self

    def answer(self, options: dict[str, Any]) -> str:
        """Return the answer to the server's request as the browser sends it."""
        client_data = self._client_data("webauthn.get", options["publicKey"]["challenge"])
        flags = FLAG.UP | FLAG.UV if self.verifies else FLAG.UP
        answered = AuthenticatorData.create(self._site_hash, flags, 1)
        signature = self.key.sign(answered + sha256(client_data).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": websafe_encode(client_data),
            "authenticatorData": websafe_encode(answered),
            "signature": websafe_encode(signature),
        }
        return json.dumps(self._credential(response))

    @property
    def _site_hash(self) -> bytes:
        return sha256(self.site.partition("://")[2].encode()).digest()

    def _credential(self, response: dict[str, str]) -> dict[str, object]:
        identity = websafe_encode(self.credential_id)
        return {"id": identity, "rawId": identity, "type": "public-key", "response": response}

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.site}).encode()
