"""Stored secrets are only sent to the servers that they were entered for.

Whoever may change a source cannot read its secrets, so must not be able to have them sent to a server of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from django.core.exceptions import ValidationError

from core.http.servers import InvalidAddress, server_of

if TYPE_CHECKING:
    from ingestion.models.source import Source

ADDRESSES = ("url", "structure_url", "token_url", "broker_url", "endpoint_url")
# Of S3 without an endpoint. Requests to it are signed with the secret like those to any other.
_AWS = "AWS"
_ENTER_AGAIN = {
    "credentials_secret": "Enter the secret again, or remove it by credentials of the kind “none”.",
    "request_headers": "Enter the headers again, or remove them.",
    "request_body": "Enter the whole body again, which contains a secret.",
}


def servers_of(source: Source) -> frozenset[str]:
    """Return the servers that the source's secrets are sent to, or a token that is issued for them."""
    servers = {_AWS} if source.ingestion_type == "s3" and not source.endpoint_url else set()
    for field in ADDRESSES:
        try:
            server = server_of(getattr(source, field))
        except InvalidAddress:  # is not connected to
            continue
        # A unit's code may be the name of its host.
        codes = source.unit_codes if "{unit}" in server else [""]
        servers |= {server.replace("{unit}", quote(code, safe="")) for code in codes}
    return frozenset(servers - {""})


def check_secrets_stay(source: Source, stored: Source) -> None:
    """Raise ValidationError by field for each stored secret that a change of the source would send to another server.

    It does so unless the change removes the secret or enters it again. `stored` is the source before the change.
    """
    others = servers_of(source) - servers_of(stored)
    kept = [field for field in _ENTER_AGAIN if _keeps_secret(source, stored, field)]
    if others and kept:
        reason = "A stored secret is only sent to the server that it was entered for"
        sentence = f"{reason}, not to {', '.join(sorted(others))}."
        raise ValidationError({field: f"{sentence} {_ENTER_AGAIN[field]}" for field in kept})


def _keeps_secret(source: Source, stored: Source, field: str) -> bool:
    if field == "request_body":
        return bool(stored.request_body_secret) and source.request_body == stored.request_body
    # The same secret that is entered again is encrypted again, so it is not equal.
    return bool(getattr(stored, field)) and getattr(source, field) == getattr(stored, field)
