"""Hide the secrets in URLs: user info, keys and signatures in parameters, and random or named parts of paths."""

import re
from collections.abc import Collection
from itertools import pairwise
from urllib.parse import unquote_plus

HIDDEN = "***"
_SECRET_NAME = re.compile(r"key|token|secret|pass|pwd|sig|auth|credential|session|jwt|bearer", re.IGNORECASE)
# Names of query parameters that only as a whole mean a secret: `unit_code` is none.
_SECRET_WORDS = frozenset({"code", "hash", "hmac", "otp", "pin", "sas", "apikey", "access", "id_token"})
# A segment of a path is a secret if a part of it looks random, or if the segment before names it.
_SEGMENT_PARTS = re.compile(r"[-_.~%:]")
_RANDOM_PART_LENGTH = 16
_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
# A name and its value in JSON, as an element and an attribute of XML, and in a form.
_NAMED_VALUES = tuple(
    map(
        re.compile,
        (
            r'(")([^"\\]{1,100})("\s*:\s*")((?:[^"\\]|\\.)+)(?=")',
            r"(<)([\w:.-]{1,100})([^<>]*>)([^<>]+)(?=</)",
            r"""(\s)([\w:.-]{1,100})(\s*=\s*["'])([^"'<>]+)(?=["'])""",
            r'(^|&)([^=&\s"{<]{1,100})(=)([^&\s"<]+)',
        ),
    )
)
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")


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
    return HIDDEN in url


def redact_path(url: str) -> str:
    """Return a URL with `***` in place of all that follows the host: the path of a webhook as a whole is its key.

    What is no URL, such as e-mail addresses, is returned as it is.
    """
    scheme, separator, rest = redact_url(url).partition("://")
    if not separator:
        return url
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    is_bare = rest.removesuffix("/") == authority
    return f"{scheme}://{rest}" if is_bare else f"{scheme}://{authority}/{HIDDEN}"


def redact_body(body: str) -> str:
    """Return the body of a request with `***` in place of literal values whose names indicate a secret.

    It may be JSON, XML or a form. A value with a placeholder is none: it is filled in when the body is sent.
    """
    for pattern in _NAMED_VALUES:
        body = pattern.sub(_redact_value, body)
    return body


def _redact_address(address: str) -> str:
    scheme, slashes, rest = address.partition("//") if "//" in address else ("", "", address)
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        authority = f"{HIDDEN}@{authority.rpartition('@')[2]}"
    elif not _HOST_AND_PORT.fullmatch(authority):
        # The port is invalid: probably a part of a password with an unencoded slash, question mark or hash.
        return scheme + slashes + HIDDEN
    return scheme + slashes + authority + slash + _redact_path(path)


def _redact_path(path: str) -> str:
    segments = path.split("/")
    return "/".join(
        HIDDEN if _is_secret_segment(segment, before) else segment
        for before, segment in zip(["", *segments], segments, strict=False)
    )


def _is_secret_segment(segment: str, before: str) -> bool:
    if not segment or segment.startswith("{"):
        return False
    if before and before != HIDDEN and (_SECRET_NAME.fullmatch(before) or before.lower() in _SECRET_WORDS):
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
    return encoded_name + equals + HIDDEN if value and is_secret else pair


def _redact_value(found: re.Match[str]) -> str:
    before, name, between, value = found.groups()
    is_secret = name.lower() in _SECRET_WORDS or _SECRET_NAME.search(name) is not None
    return before + name + between + (HIDDEN if is_secret and "{" not in value else value)
