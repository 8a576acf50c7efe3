"""What else a source's request consists of: further headers, a body, and the certificates to trust."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509

from ingestion.sources import SettingError
from ingestion.sources.credentials import CredentialsKind, bad_header, bad_header_name
from ingestion.sources.placeholders import TemplateError, Window, body_placeholders, render_body

MAX_HEADERS = 20
MAX_HEADERS_LENGTH = 8_000
# In a body, in place of the credentials' secret.
SECRET_PLACEHOLDER = "{secret}"  # noqa: S105  not a password
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;\s*[\w-]+=[\w.\"-]+)*")
_EXAMPLE = datetime(2026, 11, 23, 10, tzinfo=UTC)

Headers = tuple[tuple[str, str], ...]


class Method(StrEnum):
    """How a request is sent."""

    GET = "GET"
    POST = "POST"


def parse_headers(text: str) -> Headers:
    """Return the headers in a text with one “Name: value” a line. Raise SettingError."""
    headers = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            raise _bad_headers(f"Line {number} is not like “Name: value”.")
        if problem := bad_header_name(name) or bad_header(name, value):
            raise _bad_headers(problem)
        headers.append((name, value))
    names = [name.lower() for name, _ in headers]
    if len(set(names)) < len(names):
        raise _bad_headers("Each header may be given once.")
    if len(headers) > MAX_HEADERS or len(text) > MAX_HEADERS_LENGTH:
        raise _bad_headers(f"At most {MAX_HEADERS} headers with {MAX_HEADERS_LENGTH:,} characters can be sent.")
    return tuple(headers)


def _bad_headers(message: str) -> SettingError:
    return SettingError("request_headers", f"request_headers: {message}")


def check_headers(headers: Headers, kind: CredentialsKind, credentials_name: str) -> None:
    """Raise SettingError if a header is the one that the credentials are sent in."""
    match kind:
        case CredentialsKind.BASIC | CredentialsKind.BEARER | CredentialsKind.OAUTH2:
            own = "authorization"
        case CredentialsKind.HEADER:
            own = credentials_name.lower()
        case _:
            return
    if any(name.lower() == own for name, _ in headers):
        raise _bad_headers(f"{own.title()} is the header of the credentials.")


def check_body(method: str, body: str, content_type: str, *, has_secret: bool) -> None:
    """Raise SettingError for a body that cannot be sent, or that contradicts its content type."""
    if method == Method.GET:
        if body:
            raise SettingError("request_body", "request_body is only sent with the method POST.")
        return
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise SettingError(
            "request_content_type", 'request_content_type must be like "application/json" or "text/xml".'
        )
    if has_secret != (SECRET_PLACEHOLDER in body):
        raise SettingError(
            "request_body",
            f"request_body must contain {SECRET_PLACEHOLDER} exactly if the credentials are of the kind “body”.",
        )
    try:
        body_placeholders(body)
        window = Window(_EXAMPLE - timedelta(hours=1), _EXAMPLE)
        rendered = render_body(body, window, _EXAMPLE, "UTC", "F1", content_type)
    except TemplateError as error:
        raise SettingError("request_body", str(error)) from error
    if "json" in content_type.lower() and body:
        try:
            json.loads(rendered)
        except ValueError as error:
            raise SettingError("request_body", f"request_body is not valid JSON: {error}.") from error


def check_certificates(pem: str) -> None:
    """Raise SettingError if a text does not consist of certificates in PEM format."""
    if not pem:
        return
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise SettingError(
            "ca_certificates", "ca_certificates must be certificates in PEM format (-----BEGIN CERTIFICATE-----)."
        ) from error
    if "PRIVATE KEY" in pem:
        raise SettingError("ca_certificates", "ca_certificates contains a private key. Enter certificates only.")
    if all(certificate.not_valid_after_utc < datetime.now(UTC) for certificate in certificates):
        raise SettingError("ca_certificates", "ca_certificates has expired.")
