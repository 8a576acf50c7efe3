"""What a source authenticates with: encrypted at rest, turned into a request, and kept out of logs.

`encrypt` and `decrypt` use Fernet (AES-128-CBC with HMAC-SHA256) under keys derived from the secrets in
`SOURCE_CREDENTIALS_KEYS`. The first secret encrypts, every one of them decrypts; so a secret is replaced by putting a
new one in front, running `manage.py reencrypt_credentials`, and taking the old one out.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote, unquote_plus

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_KEY_PURPOSE = b"temperature-monitoring-system source credentials v1"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Visible Latin-1 with single spaces inside: what an HTTP header can carry unharmed.
_HEADER_VALUE = re.compile(r"[\x21-\x7e\xa1-\xff]+(?: +[\x21-\x7e\xa1-\xff]+)*")
# Headers that describe the message itself. A credential under such a name would change what the request means.
_MESSAGE_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "trailer", "upgrade"}
    | {"user-agent", "range", "expect", "accept"}
)
_SECRET_NAME = re.compile(r"key|token|secret|pass|pwd|sig|auth|credential|session|jwt|bearer", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")
_HIDDEN = "***"


class CredentialsUnreadable(Exception):  # noqa: N818 - a state of the configuration; its text says what to do
    """Stored credentials were encrypted under a secret that is no longer configured, or are damaged."""

    def __init__(self) -> None:
        super().__init__(
            "The stored credentials cannot be read with any secret in SOURCE_CREDENTIALS_KEYS. "
            "Add the secret that was in use when they were stored, or enter the credentials again."
        )


class CredentialsKind(StrEnum):
    """The ways to authenticate to a source."""

    NONE = "none"
    BASIC = "basic"
    BEARER = "bearer"
    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True)
class Authenticated:
    """A URL and the headers and basic authentication, (user, password) or None, to ask for it with."""

    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False, default_factory=dict)
    basic_auth: tuple[str, str] | None = field(repr=False, default=None)
    secret_query_names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Credentials:
    """A source's credentials.

    `name` is the user (basic), the header's name (header) or the query parameter's name (query), and empty
    otherwise; `secret` is the password, the token or the value.
    """

    kind: CredentialsKind = CredentialsKind.NONE
    name: str = ""
    secret: str = field(default="", repr=False)

    def problem(self) -> str | None:
        """Return a sentence that says why these cannot be used, None when they can."""
        match self.kind:
            case CredentialsKind.NONE:
                return None
            case CredentialsKind.BASIC:
                return "A user name must not hold a colon." if ":" in self.name else _missing(self.name, "a user name")
            case CredentialsKind.BEARER:
                return _bad_header("Authorization", self.secret)
            case CredentialsKind.HEADER:
                return _bad_header_name(self.name) or _bad_header(self.name, self.secret)
            case CredentialsKind.QUERY:
                return _missing(self.name, "a parameter's name") or _missing(self.secret, "a value")

    def applied_to(self, url: str) -> Authenticated:
        """Return what to fetch so that the source accepts it. Raise ValueError when there is a `problem`."""
        problem = self.problem()
        if problem:
            raise ValueError(problem)
        match self.kind:
            case CredentialsKind.NONE:
                return Authenticated(url)
            case CredentialsKind.BASIC:
                return Authenticated(url, basic_auth=(self.name, self.secret))
            case CredentialsKind.BEARER:
                return Authenticated(url, headers={"Authorization": f"Bearer {self.secret}"})
            case CredentialsKind.HEADER:
                return Authenticated(url, headers={self.name: self.secret})
            case CredentialsKind.QUERY:
                with_secret = _with_parameter(url, self.name, self.secret)
                return Authenticated(with_secret, secret_query_names=frozenset({self.name}))


def encrypt(plain: str) -> str:
    """Return the text encrypted under the first secret. Every call gives another token."""
    return _cipher().encrypt(plain.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """Return the text that was encrypted. Raise CredentialsUnreadable."""
    try:
        return _cipher().decrypt(token.encode()).decode()
    except InvalidToken:
        raise CredentialsUnreadable from None


def reencrypt(token: str) -> str:
    """Return the same text encrypted under the first secret. Raise CredentialsUnreadable."""
    try:
        return _cipher().rotate(token.encode()).decode("ascii")
    except InvalidToken:
        raise CredentialsUnreadable from None


def redact_url(url: str, secret_query_names: Collection[str] = ()) -> str:
    """Return the URL fit for a log: user info and secret query values are `***`, the fragment is gone.

    A query value is secret when its name is in `secret_query_names` or sounds like one (key, token, password, ...).
    Any text is accepted, because what has to be logged may be just the URL that could not be read.
    """
    address, question_mark, query = url.partition("#")[0].partition("?")
    secret_names = {name.lower() for name in secret_query_names}
    pairs = (_redact_pair(pair, secret_names) for pair in re.split("([&;])", query))
    return _redact_address(address) + question_mark + "".join(pairs)


def _redact_address(address: str) -> str:
    scheme, slashes, rest = address.partition("//") if "//" in address else ("", "", address)
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        authority = f"{_HIDDEN}@{authority.rpartition('@')[2]}"
    elif not _HOST_AND_PORT.fullmatch(authority):
        # Where a port should be stands something else: a password with an unencoded slash, mark or hash in it.
        return scheme + slashes + _HIDDEN
    return scheme + slashes + authority + slash + path


def _redact_pair(pair: str, secret_names: set[str]) -> str:
    written_name, equals, value = pair.partition("=")
    name = unquote_plus(written_name)
    is_secret = name.lower() in secret_names or _SECRET_NAME.search(name) is not None
    return written_name + equals + _HIDDEN if value and is_secret else pair


def _cipher() -> MultiFernet:
    secrets = settings.SOURCE_CREDENTIALS_KEYS or [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return _cipher_of(tuple(secrets))


@lru_cache(maxsize=4)
def _cipher_of(secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_key_of(secret)) for secret in secrets])


def _key_of(secret: str) -> bytes:
    # A salt would have to be stored beside every token; the purpose keeps this key apart from others of the secret.
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_PURPOSE)
    return urlsafe_b64encode(derivation.derive(secret.encode()))


def _with_parameter(url: str, name: str, value: str) -> str:
    before, hash_sign, fragment = url.partition("#")
    separator = "&" if "?" in before else "?"
    return f"{before}{separator}{quote(name, safe='')}={quote(value, safe='')}{hash_sign}{fragment}"


def _missing(text: str, what: str) -> str | None:
    return None if text else f"These credentials need {what}."


def _bad_header_name(name: str) -> str | None:
    if not _HEADER_NAME.fullmatch(name):
        return "A header's name may hold letters, digits and hyphens."
    if name.lower() in _MESSAGE_HEADERS:
        return f"The header {name} belongs to the request itself and cannot carry credentials."
    return None


def _bad_header(name: str, value: str) -> str | None:
    if _HEADER_VALUE.fullmatch(value):
        return None
    return f"The value for {name} must be visible characters, without line breaks or spaces around it."
