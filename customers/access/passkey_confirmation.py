"""Confirm that the person who is signed in is at the keyboard, by a passkey, before something is signed.

The challenge that the passkey signs is a hash of what it is asked for. So a confirmation is good for that alone, once,
by that person, and for two minutes. Between the two requests the server keeps nothing: what it has to know again is in
a text of its own making that the page sends back.
"""

from __future__ import annotations

import secrets
import struct
import uuid
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from cryptography.exceptions import InvalidSignature
from django.contrib.auth.models import User
from django.core import signing
from fido2.cose import CoseKey
from fido2.utils import websafe_encode
from fido2.webauthn import AuthenticationResponse, RegistrationResponse, UserVerificationRequirement

from core.db import clock
from customers.access.reauthentication import NotConfirmed
from customers.access.submissions import claim_key

VALID_FOR = timedelta(minutes=2)
_SALT = "customers.access.passkey_confirmation"
_NAMESPACE = uuid.UUID("9f4be0f7-6b53-4c1e-8f5e-7f0f3b1c6a52")
# A PIN or a fingerprint: otherwise whoever holds the key could sign.
_VERIFICATION = UserVerificationRequirement.REQUIRED

# Where a key in COSE says of which kind it is.
_KIND = 3


def has_passkey(user: User) -> bool:
    """Return whether the person has a passkey."""
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).exists()


def begin(user: User, subject: bytes) -> tuple[dict[str, object], str]:
    """Return what the browser asks the passkey for, and the text to send back. `subject`: a hash of what is signed."""
    nonce = secrets.token_bytes(32)
    options, _ = auth.get_server().authenticate_begin(
        credentials=auth.get_credentials(user),
        user_verification=_VERIFICATION,
        challenge=_challenge(nonce, subject),
    )
    until = (clock.database_now() + VALID_FOR).timestamp()
    sent_back = signing.dumps(
        {"user": user.pk, "subject": subject.hex(), "nonce": nonce.hex(), "until": until}, salt=_SALT
    )
    return dict(options), sent_back


def confirm_passkey(user: User, subject: bytes, sent_back: str, credential: Mapping[str, object]) -> None:
    """Check the passkey's answer, and note that it was used. Raise NotConfirmed."""
    nonce = _nonce_of(user, subject, sent_back)
    # What `authenticate_begin` returned as the server's state.
    state = {"challenge": websafe_encode(_challenge(nonce, subject)), "user_verification": _VERIFICATION}
    refused = "The passkey is not one of your account, or did not ask for a PIN or a finger."
    if not is_readable(credential):
        raise NotConfirmed(refused)
    try:
        auth.get_server().authenticate_complete(state, auth.get_credentials(user), credential)
    except ValueError as error:
        raise NotConfirmed(refused) from error
    if not claim_key(uuid.uuid5(_NAMESPACE, nonce.hex())):
        raise NotConfirmed("This confirmation was already used. Use the passkey again.")


def is_readable(answer: object) -> bool:
    """Return whether a passkey's answer, to a request to sign in or to register, is complete and can be checked."""
    if not isinstance(answer, Mapping):
        return False
    try:
        response = answer["response"]
        is_registration = isinstance(response, Mapping) and "attestationObject" in response
        return _is_complete_registration(answer) if is_registration else _is_complete_answer(answer)
    # What the library raises by where an answer is damaged: in its JSON, its base64, its CBOR, or its flags.
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, struct.error):
        return False


def _is_complete_registration(answer: Mapping[str, object]) -> bool:
    response = RegistrationResponse.from_dict(answer).response
    registered = response.attestation_object.auth_data.credential_data
    extensions = answer.get("clientExtensionResults") or {}
    has_extensions = isinstance(extensions, Mapping) and isinstance(extensions.get("credProps", {}), Mapping)
    has_key = registered is not None and _is_usable(registered.public_key)
    return has_key and has_extensions and isinstance(response.client_data.origin, str)


def _is_usable(key: CoseKey) -> bool:
    """Return whether what the key signs can be checked: it is of a kind that was asked for, and complete."""
    if key.get(_KIND) not in CoseKey.supported_algorithms():
        return False
    try:
        key.verify(b"", b"")
    except InvalidSignature:
        return True
    return False


def _is_complete_answer(answer: Mapping[str, object]) -> bool:
    return isinstance(AuthenticationResponse.from_dict(answer).response.client_data.origin, str)


def _nonce_of(user: User, subject: bytes, sent_back: str) -> bytes:
    """Return the random part of the challenge. Raise NotConfirmed if it was for somebody or something else."""
    try:
        known = signing.loads(sent_back, salt=_SALT)
    except signing.BadSignature as error:
        raise NotConfirmed("The confirmation is damaged. Use the passkey again.") from error
    if clock.database_now().timestamp() > known["until"]:
        raise NotConfirmed("The confirmation has expired. Use the passkey again.")
    if (known["user"], known["subject"]) != (user.pk, subject.hex()):
        raise NotConfirmed("You confirmed something else, or the alarm has changed since. Use the passkey again.")
    return bytes.fromhex(known["nonce"])


def _challenge(nonce: bytes, subject: bytes) -> bytes:
    return sha256(nonce + subject).digest()
