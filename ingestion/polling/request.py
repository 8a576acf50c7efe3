"""Send a source's request with its credentials, and keep what a failed response said, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from core.crypto.redaction import redact_url
from core.tracing import span
from ingestion.models import Source
from ingestion.models.delivery import EXCERPT_LENGTH
from ingestion.polling.access_tokens import access_token
from ingestion.polling.fetch import (
    FetchedBody,
    FetchFailure,
    allowed_networks_from_settings,
    fetch,
    limits_from_settings,
)
from ingestion.sources import SettingError
from ingestion.sources.credentials import CredentialsKind, redact_text
from ingestion.sources.placeholders import body_placeholders, escaping, parse_placeholders
from ingestion.sources.request_settings import SECRET_PLACEHOLDER, Method
from ingestion.sources.url_template import BodyTemplate


class SourceMisconfigured(Exception):  # noqa: N818  what a person has to fix, shown with the source
    """A source's settings are unusable; the text says which ones and how to fix them."""


def request_source(
    source: Source, url: str, body: bytes | None = None, conditions: Mapping[str, str] | None = None
) -> FetchedBody:
    """Send a source's request with its credentials. Raise SourceMisconfigured, SecretUnreadable or FetchFailure.

    `conditions` are headers that make it conditional.
    """
    try:
        credentials = source.credentials
        headers = dict(source.headers)
    except SettingError as error:
        raise SourceMisconfigured(str(error)) from error
    validation_error = credentials.validation_error()
    if validation_error:
        raise SourceMisconfigured(validation_error)
    request = credentials.authenticate(url)
    if body is not None:
        headers["Content-Type"] = source.request_content_type
        if credentials.kind == CredentialsKind.BODY:
            secret = escaping(source.request_content_type)(credentials.secret)
            body = body.replace(SECRET_PLACEHOLDER.encode(), secret.encode())

    def sent(authorization: Mapping[str, str]) -> FetchedBody:
        with span("request", source=str(source.public_id)):
            return fetch(
                request.url,
                headers={**headers, **request.headers, **(conditions or {}), **authorization},
                basic_auth=request.basic_auth,
                method=source.request_method if body is not None else Method.GET,
                body=body,
                ca_certificates=source.ca_certificates,
                limits=limits_from_settings(),
                allowed_networks=allowed_networks_from_settings(),
                secret_query_names=request.secret_query_names,
            )

    if credentials.kind != CredentialsKind.OAUTH2:
        return sent({})
    try:
        return sent(_bearer(access_token(source, credentials)))
    except FetchFailure as failure:
        if failure.status != HTTPStatus.UNAUTHORIZED:
            raise
    # The server has revoked the token that was kept.
    return sent(_bearer(access_token(source, credentials, is_fresh=True)))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def body_template(source: Source, unit_code: str) -> BodyTemplate | None:
    """Return the template of the body of the source's requests, None if they have none."""
    if source.request_method != Method.POST:
        return None
    return BodyTemplate(source.whole_request_body, source.request_content_type, unit_code)


def requested_names(source: Source) -> frozenset[str]:
    """Return the names of the placeholders in the source's URL and body. Raise TemplateError, SecretUnreadable."""
    names = parse_placeholders(source.request_url.replace("{unit}", ""))
    return names | body_placeholders(source.request_body) if source.request_method == Method.POST else names


def redacted_url(source: Source) -> str:
    """Return the source's URL template for logs, as the URL of a response is logged; also if no key fits the secret."""
    names = {source.credentials_name} if source.credentials_kind == CredentialsKind.QUERY else set()
    return redact_url(source.url, names)


def excerpt_of(body_start: bytes, source: Source) -> str:
    """Return the first EXCERPT_LENGTH characters of a response on one line, without secrets."""
    text = " ".join(body_start.decode("utf-8", "replace").split())
    text = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return redact_text(text, source.credentials)[:EXCERPT_LENGTH]
