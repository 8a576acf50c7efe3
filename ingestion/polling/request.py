"""Send a source's request with its credentials, and keep what a failed response said, without secrets."""

from __future__ import annotations

from ingestion.models import Source
from ingestion.models.delivery import EXCERPT_LENGTH
from ingestion.polling.fetch import (
    FetchedBody,
    allowed_networks_from_settings,
    fetch,
    limits_from_settings,
)
from ingestion.sources.credentials import CredentialsKind, redact_text, redact_url


class SourceMisconfigured(Exception):  # noqa: N818  what a person has to fix, shown with the source
    """A source's settings are unusable; the text says which ones and how to fix them."""


def request_source(source: Source, url: str) -> FetchedBody:
    """Request a URL with the source's credentials. Raise SourceMisconfigured, SecretUnreadable or FetchFailure."""
    credentials = source.credentials
    validation_error = credentials.validation_error()
    if validation_error:
        raise SourceMisconfigured(validation_error)
    request = credentials.authenticate(url)
    return fetch(
        request.url,
        headers=request.headers,
        basic_auth=request.basic_auth,
        limits=limits_from_settings(),
        allowed_networks=allowed_networks_from_settings(),
        secret_query_names=request.secret_query_names,
    )


def redacted_url(source: Source) -> str:
    """Return the source's URL template for logs, as the URL of a response is logged; also if no key fits the secret."""
    names = {source.credentials_name} if source.credentials_kind == CredentialsKind.QUERY else set()
    return redact_url(source.url, names)


def excerpt_of(body_start: bytes, source: Source) -> str:
    """Return the first EXCERPT_LENGTH characters of a response on one line, without secrets."""
    text = " ".join(body_start.decode("utf-8", "replace").split())
    text = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return redact_text(text, source.credentials)[:EXCERPT_LENGTH]
