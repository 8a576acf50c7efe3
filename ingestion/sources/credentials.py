"""Credentials of sources: apply them to requests and redact them in logs."""

import html
import json
import re
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from urllib.parse import quote, unquote_plus

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Visible Latin-1 with inner spaces: what an HTTP header can carry unchanged.
_HEADER_VALUE = re.compile(r"[\x21-\x7e\xa1-\xff]+(?: +[\x21-\x7e\xa1-\xff]+)*")
# Headers that describe the message itself: a credential with such a name would change the request's meaning.
_MESSAGE_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "trailer", "upgrade"}
    | {"user-agent", "range", "expect", "accept"}
)
_SECRET_NAME = re.compile(r"key|token|secret|pass|pwd|sig|auth|credential|session|jwt|bearer", re.IGNORECASE)
# Names of query parameters that only as a whole mean a secret: `unit_code` is none.
_SECRET_WORDS = frozenset({"code", "hash", "hmac", "otp", "pin", "sas", "apikey", "access", "id_token"})
# A segment of a path is a secret if a part of it looks random, or if the segment before names it.
_SEGMENT_PARTS = re.compile(r"[-_.~%:]")
_RANDOM_PART_LENGTH = 16
_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
# Within text: a name like a secret's, a colon or equals sign, and a value, each with or without quotes.
_NAMED_SECRET = re.compile(
    r"""([\w-]*(?:key|token|secret|pass|pwd|auth|credential|session|jwt)[\w-]*["']?\s*[:=]\s*(["']?))"""
    r"""((?:(?:basic|bearer)\s+)?[^\s"'<>&,;]+)""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")
_HIDDEN = "***"
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


def redact_url(url: str, secret_query_names: Collection[str] = ()) -> str:
    """Return a URL for logs: user info, secret query values and path segments become `***`, the fragment is removed.

    A query value is secret if its name is in `secret_query_names` or matches a pattern (key, token, password, ...), a
    segment if it looks random or follows such a name.
    Any text is accepted, as invalid URLs have to be logged too.
    """
    address, question_mark, query = url.partition("#")[0].partition("?")
    secret_names = {name.lower() for name in secret_query_names}
    pairs = (_redact_pair(pair, secret_names) for pair in re.split("([&;])", query))
    return _redact_address(address) + question_mark + "".join(pairs)


def has_redacted_part(url: str) -> bool:
    """Return whether a secret of a URL is hidden, as `redact_url` hides it."""
    return _HIDDEN in url


def mask_secret(text: str, credentials: Credentials) -> str:
    """Return a text that a source sent with its own credentials' secrets as `***`, however they are spelled."""
    for secret in _spellings(credentials, shortest=_SHORTEST_MASKED):
        text = text.replace(secret, _HIDDEN)
    return text


def redact_text(text: str, credentials: Credentials) -> str:
    """Return a response's text for logs: the credentials' secret, and values named like a secret, become `***`."""
    for secret in _spellings(credentials):
        text = text.replace(secret, _HIDDEN)
    text = _BEARER.sub(rf"\1{_HIDDEN}", text)
    return _NAMED_SECRET.sub(lambda match: match[0] if match[3] == _HIDDEN else f"{match[1]}{_HIDDEN}", text)


def _spellings(credentials: Credentials, shortest: int = 1) -> list[str]:
    """Return the ways in which a response may repeat secrets of this length, longest first."""
    spellings: set[str] = set()
    for secret in (credentials.secret, *credentials.further_secrets):
        if len(secret) >= shortest:
            pair = b64encode(f"{credentials.name}:{secret}".encode()).decode()
            spellings |= {secret, quote(secret, safe=""), html.escape(secret), json.dumps(secret)[1:-1], pair}
    return sorted(spellings, key=len, reverse=True)


def _redact_address(address: str) -> str:
    scheme, slashes, rest = address.partition("//") if "//" in address else ("", "", address)
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        authority = f"{_HIDDEN}@{authority.rpartition('@')[2]}"
    elif not _HOST_AND_PORT.fullmatch(authority):
        # The port is invalid: probably a part of a password with an unencoded slash, question mark or hash.
        return scheme + slashes + _HIDDEN
    return scheme + slashes + authority + slash + _redact_path(path)


def _redact_path(path: str) -> str:
    segments = path.split("/")
    return "/".join(
        _HIDDEN if _is_secret_segment(segment, before) else segment
        for before, segment in zip(["", *segments], segments, strict=False)
    )


def _is_secret_segment(segment: str, before: str) -> bool:
    if not segment or segment.startswith("{"):
        return False
    if before and before != _HIDDEN and (_SECRET_NAME.fullmatch(before) or before.lower() in _SECRET_WORDS):
        return True
    return bool(_UUID.fullmatch(segment)) or any(map(_looks_random, _SEGMENT_PARTS.split(segment)))


def _looks_random(text: str) -> bool:
    """Return whether a text is long and mixes digits with letters, or capitals with small letters as no name does."""
    if len(text) < _RANDOM_PART_LENGTH or not text.isalnum():
        return False
    has_digit = any(char.isdigit() for char in text)
    changes = sum(first.isupper() != second.isupper() for first, second in pairwise(text))
    return (has_digit and any(char.isalpha() for char in text)) or changes > len(text) // 4


def _redact_pair(pair: str, secret_names: set[str]) -> str:
    encoded_name, equals, value = pair.partition("=")
    name = unquote_plus(encoded_name)
    is_secret = name.lower() in secret_names | _SECRET_WORDS or _SECRET_NAME.search(name) is not None
    return encoded_name + equals + _HIDDEN if value and is_secret else pair


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
