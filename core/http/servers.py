"""The servers that requests are sent to: the scheme, the host and the port of a URL."""

from __future__ import annotations

from urllib.parse import urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

_PORTS = {"https": 443, "http": 80, "mqtts": 8883, "mqtt": 1883, "sftp": 22}
_WEB = ("https", "http")


class InvalidAddress(ValueError):  # noqa: N818  what a person entered
    """A URL cannot be understood; the message is for the person who entered it."""


def server_of(url: str) -> str:
    """Return the server that a URL names, such as `https://a.example.com`, with a port that is not the usual one.

    It is empty for an address without a server: of a folder, or of a bucket, which is at the endpoint of its source.
    Each URL is read as by what connects to it, so that both agree about the host. Raise InvalidAddress.
    """
    scheme = url.partition("://")[0].lower()
    if scheme in ("file", "s3"):
        return ""
    try:
        host, port = _web_target(url) if scheme in _WEB else _other_target(url)
    except (ValueError, LocationParseError) as error:
        raise InvalidAddress("This is not a valid URL.") from error
    if not host:
        return ""
    return f"{scheme}://{host}" if port in (None, _PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def _web_target(url: str) -> tuple[str, int | None]:
    target = parse_url(url)
    # Before the host or in it, a backslash is a slash to some and a part of the name to others.
    if not target.host or "\\" in url.partition("?")[0]:
        raise ValueError(url)
    return target.host.lower(), target.port


def _other_target(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port
