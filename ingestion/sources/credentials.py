"""Credentials of sources: apply them to requests and redact them in responses."""

import html
import json
import re
from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote

from core.crypto.redaction import HIDDEN

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Visible Latin-1 with inner spaces: what an HTTP header can carry unchanged.
_HEADER_VALUE = re.compile(r"[\x21-\x7e\xa1-\xff]+(?: +[\x21-\x7e\xa1-\xff]+)*")
# Headers that describe the message itself: a credential with such a name would change the request's meaning.
_MESSAGE_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "trailer", "upgrade"}
    | {"user-agent", "range", "expect", "accept"}
)
# Within text: a name like a secret's, a colon or equals sign, and a value, each with or without quotes.
_NAMED_SECRET = re.compile(
    r"""([\w-]*(?:key|token|secret|pass|pwd|auth|credential|session|jwt)[\w-]*["']?\s*[:=]\s*(["']?))"""
    r"""((?:(?:basic|bearer)\s+)?[^\s"'<>&,;]+)""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}", re.IGNORECASE)
# A shorter secret would also be found in values that are none, such as a temperature.
_SHORTEST_MASKED = 6


class CredentialsKind(StrEnum):
    """How to authenticate to a source."""

    NONE = "none"
    BASIC = "basic"
    BEARER = "bearer"
    HEADER = "header"
    QUERY = "query"
    BODY = "body"
    OAUTH2 = "oauth2"
    KEY = "key"


@dataclass(frozen=True)
class AuthenticatedRequest:
    """A URL with the headers and the basic authentication, (user, password) or None, to request it with."""

    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False, default_factory=dict)
    basic_auth: tuple[str, str] | None = field(repr=False, default=None)
    secret_query_names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Credentials:
    """A source's credentials.

    `name` is the user (basic), the header's name (header), the query parameter's name (query) or the client's id
    (oauth2), and empty otherwise; `secret` is the password, the token, the client's secret or the value.
    `further_secrets` are sent as well, in headers that the source's settings contain.
    """

    kind: CredentialsKind = CredentialsKind.NONE
    name: str = ""
    secret: str = field(default="", repr=False)
    further_secrets: tuple[str, ...] = field(default=(), repr=False)

    def validation_error(self) -> str | None:
        """Return why the credentials cannot be used as a sentence, None if they can."""
        match self.kind:
            case CredentialsKind.NONE:
                return None
            case CredentialsKind.BASIC:
                return (
                    "A user name must not contain a colon." if ":" in self.name else _missing(self.name, "a user name")
                )
            case CredentialsKind.BEARER:
                return bad_header("Authorization", self.secret)
            case CredentialsKind.HEADER:
                return bad_header_name(self.name) or bad_header(self.name, self.secret)
            case CredentialsKind.QUERY:
                return _missing(self.name, "a parameter name") or _missing(self.secret, "a value")
            case CredentialsKind.BODY:
                return _missing(self.secret, "a value")
            case CredentialsKind.KEY:
                return _missing(self.name, "a user name") or _missing(self.secret, "a private key")
            case CredentialsKind.OAUTH2:
                return _missing(self.name, "a client id") or _missing(self.secret, "a client secret")

    def authenticate(self, url: str) -> AuthenticatedRequest:
        """Return an authenticated request for a URL. Raise ValueError if there is a `validation_error`."""
        if error := self.validation_error():
            raise ValueError(error)
        match self.kind:
            case CredentialsKind.NONE | CredentialsKind.BODY | CredentialsKind.OAUTH2 | CredentialsKind.KEY:
                return AuthenticatedRequest(url)  # what is sent depends on the request
            case CredentialsKind.BASIC:
                return AuthenticatedRequest(url, basic_auth=(self.name, self.secret))
            case CredentialsKind.BEARER:
                return AuthenticatedRequest(url, headers={"Authorization": f"Bearer {self.secret}"})
            case CredentialsKind.HEADER:
                return AuthenticatedRequest(url, headers={self.name: self.secret})
            case CredentialsKind.QUERY:
                with_secret = _with_parameter(url, self.name, self.secret)
                return AuthenticatedRequest(with_secret, secret_query_names=frozenset({self.name}))


def mask_secret(text: str, credentials: Credentials) -> str:
    """Return a text that a source sent with its own credentials' secrets as `***`, however they are spelled."""
    for secret in _spellings(credentials, shortest=_SHORTEST_MASKED):
        text = text.replace(secret, HIDDEN)
    return text


def redact_text(text: str, credentials: Credentials) -> str:
    """Return a response's text for logs: the credentials' secret, and values named like a secret, become `***`."""
    for secret in _spellings(credentials):
        text = text.replace(secret, HIDDEN)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    return _NAMED_SECRET.sub(lambda match: match[0] if match[3] == HIDDEN else f"{match[1]}{HIDDEN}", text)


def _spellings(credentials: Credentials, shortest: int = 1) -> list[str]:
    """Return the ways in which a response may repeat secrets of this length, longest first."""
    spellings: set[str] = set()
    for secret in (credentials.secret, *credentials.further_secrets):
        if len(secret) >= shortest:
            pair = b64encode(f"{credentials.name}:{secret}".encode()).decode()
            spellings |= {secret, quote(secret, safe=""), html.escape(secret), json.dumps(secret)[1:-1], pair}
    return sorted(spellings, key=len, reverse=True)


def _with_parameter(url: str, name: str, value: str) -> str:
    base, hash_sign, fragment = url.partition("#")
    separator = "&" if "?" in base else "?"
    return f"{base}{separator}{quote(name, safe='')}={quote(value, safe='')}{hash_sign}{fragment}"


def _missing(text: str, what: str) -> str | None:
    return None if text else f"These credentials need {what}."


def bad_header_name(name: str) -> str | None:
    """Return why a header with this name cannot be sent with requests, None if it can."""
    if not _HEADER_NAME.fullmatch(name):
        return "A header's name may contain letters, digits and hyphens."
    if name.lower() in _MESSAGE_HEADERS:
        return f"The header {name} is reserved for the request itself and cannot carry credentials."
    return None


def bad_header(name: str, value: str) -> str | None:
    """Return why a header cannot have this value, None if it can."""
    if _HEADER_VALUE.fullmatch(value):
        return None
    return f"The value for {name} must consist of visible characters, without line breaks or surrounding spaces."
