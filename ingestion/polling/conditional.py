"""Conditional requests: ask a server only for what changed since its last complete response.

Its validators are kept with a hash of all that the stored readings depend on, so that a changed URL, body or mapping
leads to a full response again.
"""

from __future__ import annotations

from hashlib import sha256

from ingestion.models import Source
from ingestion.polling.fetch import FetchedBody

_ETAG_LENGTH = 500
_LAST_MODIFIED_LENGTH = 100
VALIDATOR_FIELDS = ["validated_request", "etag", "last_modified"]


def conditions_of(source: Source, url: str, body: bytes | None) -> dict[str, str]:
    """Return the headers that make a request conditional, none if nothing is known that would make it so."""
    if not source.sends_conditional_requests or source.validated_request != _fingerprint(source, url, body):
        return {}
    named = {"If-None-Match": source.etag, "If-Modified-Since": source.last_modified}
    return {name: value for name, value in named.items() if value}


def note_validators(source: Source, polled: Source, fetched: FetchedBody, url: str, body: bytes | None) -> None:
    """Set the validators of a response after all of its rows were stored; the caller saves VALIDATOR_FIELDS.

    `polled` is the source with the settings by which they were read, which may have been changed since.
    """
    if fetched.is_not_modified:
        return
    etag, last_modified = fetched.headers.get("etag", ""), fetched.headers.get("last-modified", "")
    is_usable = len(etag) <= _ETAG_LENGTH and len(last_modified) <= _LAST_MODIFIED_LENGTH
    source.etag, source.last_modified = (etag, last_modified) if is_usable else ("", "")
    source.validated_request = _fingerprint(polled, url, body) if source.etag or source.last_modified else ""


def _fingerprint(source: Source, url: str, body: bytes | None) -> str:
    """Return a hash of the request, and of the settings by which its response is read."""
    parts = (url, body, source.mapping, source.default_unit_code, source.default_facility_code, source.registers_units)
    return sha256(repr(parts).encode()).hexdigest()
