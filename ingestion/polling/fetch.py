"""Fetch a source's data: return the response body, or raise a failure with a reason."""

import http
import http.client
import tempfile
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Self
from urllib.parse import urljoin

from django.conf import settings
from urllib3.util import Url

from core.backoff import retry_after_seconds
from core.crypto.redaction import redact_url
from core.http.addresses import Network, parse_networks, parse_ports
from core.http.guarded_http import (
    MEBIBYTE,
    FetchFailure,
    FetchLimits,
    GuardedExchange,
    parse_target,
    port_of,
    timed_out,
)
from core.http.idle_connections import IdleConnections
from ingestion.parsing.body.compression import CompressionError, Decoder, decoder_for

__all__ = [
    "FetchFailure",
    "FetchLimits",
    "FetchedBody",
    "allowed_networks_from_settings",
    "fetch",
    "limits_from_settings",
]

_METHOD_KEEPING = frozenset({307, 308})
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
# The only headers sent on to another origin after a redirect. Any other header could be a customer's credential.
_HARMLESS_HEADERS = frozenset({"accept", "accept-language"})
_CONDITIONS = frozenset({"if-none-match", "if-modified-since"})
_PIECE_BYTES = 64 * 1024
_IN_MEMORY_BYTES = 8 * MEBIBYTE
# Read of a failed response: many times what is kept, so that no secret is cut in two before it is redacted.
EXCERPT_BYTES = 4096
# A process polls sources on the same servers again and again.
_idle_connections = IdleConnections()


@dataclass
class FetchedBody:
    """A successful response (2xx). Close it, or use it as a context manager, to delete its temporary file.

    `headers` has lower-case names; `content_type` is that header as sent, "" without one; `body` contains the
    decompressed bytes, positioned at the start; `size_bytes` is their number; `url` is the final URL without secrets;
    `received_at` is the instant (UTC) at which the response began; `is_cut_off` means that the server announced more
    than it sent.
    """

    status: int
    headers: Mapping[str, str]
    content_type: str
    body: IO[bytes]
    size_bytes: int
    url: str
    received_at: datetime
    is_cut_off: bool

    @property
    def is_not_modified(self) -> bool:
        """Whether nothing changed since the response that the request's conditions are about."""
        return self.status == http.HTTPStatus.NOT_MODIFIED

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.body.close()

    def keep_on_disk(self) -> None:
        """Release the memory of a body that waits for others to be read: together they may be large."""
        if isinstance(self.body, tempfile.SpooledTemporaryFile):
            self.body.rollover()
            self.body.seek(0)


@dataclass
class _Hop:
    """The next request. Confidential headers are dropped when the origin changes."""

    target: Url
    headers: dict[str, str] = field(repr=False)
    method: str = "GET"
    body: bytes | None = field(default=None, repr=False)

    def redirected_to(self, location: str, status: int) -> "_Hop":
        try:
            target = parse_target(urljoin(self.target.url, location))
        except ValueError:
            raise FetchFailure("invalid_url", f"{self.target.host} redirects to an invalid URL.") from None
        if self.target.scheme == "https" and target.scheme == "http":
            raise FetchFailure("insecure_redirect", f"{self.target.host} redirects from https to http.")
        if _origin(target) == _origin(self.target):
            if status in _METHOD_KEEPING:
                return _Hop(target, self.headers, self.method, self.body)
            return _Hop(target, self.headers)
        if self.body is not None and status in _METHOD_KEEPING:
            raise FetchFailure("insecure_redirect", f"{self.target.host} redirects a POST request to another server.")
        harmless = {name: value for name, value in self.headers.items() if name.lower() in _HARMLESS_HEADERS}
        return _Hop(target, harmless)


def fetch(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    basic_auth: tuple[str, str] | None = None,
    method: str = "GET",
    body: bytes | None = None,
    ca_certificates: str = "",
    limits: FetchLimits,
    allowed_networks: Sequence[Network],
    secret_query_names: Collection[str] = (),
) -> FetchedBody:
    """Request a source's URL, following redirects, each of which is checked like the first URL.

    `basic_auth` is (user, password). `secret_query_names` are redacted in the result's URL, in addition to the usual
    names. A response 304 to a conditional request has an empty body. A body that is cut off is returned as far as it
    was received. Raise FetchFailure with one of the reasons address_not_allowed, name_not_resolved,
    connection_refused, connection_failed, tls_failed, timeout, too_many_redirects, insecure_redirect,
    unsupported_scheme, invalid_url, invalid_header, unreadable_encoding, http_status, too_large.
    """
    hop = _Hop(parse_target(url), {**(headers or {}), **_authorization(basic_auth)}, method, body)
    with GuardedExchange(limits, allowed_networks, ca_certificates, idle_connections=_idle_connections) as exchange:
        hop, response = _follow(exchange, hop, limits.max_redirects)
        received_at = datetime.now(UTC)
        if not (response.status == http.HTTPStatus.NOT_MODIFIED and _is_conditional(hop.headers)):
            _refuse_failed_status(response, received_at)
        try:
            received, is_cut_off = _receive(response, exchange)
            if not is_cut_off:
                exchange.finish()
        except TimeoutError as error:
            raise timed_out(hop.target.host or "", exchange.guard) from error
        except CompressionError as error:
            raise FetchFailure("unreadable_encoding", str(error)) from error
    size = received.tell()
    if is_cut_off and size == 0:
        received.close()
        raise FetchFailure("connection_failed", f"{hop.target.host} closed the connection before sending any data.")
    received.seek(0)
    return FetchedBody(
        status=response.status,
        headers={name.lower(): value for name, value in response.headers.items()},
        content_type=response.headers.get("Content-Type", ""),
        body=received,
        size_bytes=size,
        url=redact_url(hop.target.url, secret_query_names),
        received_at=received_at,
        is_cut_off=is_cut_off,
    )


def limits_from_settings() -> FetchLimits:
    """Return the limits set by the operator."""
    return FetchLimits(
        connect_seconds=settings.SOURCE_CONNECT_SECONDS,
        read_seconds=settings.SOURCE_READ_SECONDS,
        total_seconds=settings.SOURCE_TOTAL_SECONDS,
        max_bytes=settings.SOURCE_MAX_BYTES,
        max_redirects=settings.SOURCE_MAX_REDIRECTS,
        ports=parse_ports(settings.OUTGOING_PORTS),
    )


def allowed_networks_from_settings() -> tuple[Network, ...]:
    """Return the private networks in which sources are allowed. Raise ValueError for an invalid one."""
    return parse_networks(settings.SOURCE_ALLOWED_NETWORKS)


def _authorization(basic_auth: tuple[str, str] | None) -> dict[str, str]:
    if basic_auth is None:
        return {}
    pair = b64encode(":".join(basic_auth).encode()).decode("ascii")
    return {"Authorization": f"Basic {pair}"}


def _origin(target: Url) -> tuple[str | None, str | None, int]:
    return target.scheme, target.host, port_of(target)


def _follow(exchange: GuardedExchange, hop: _Hop, max_redirects: int) -> tuple[_Hop, http.client.HTTPResponse]:
    for _ in range(max_redirects + 1):
        response = exchange.open(hop.method, hop.target.url, hop.headers, hop.body)
        location = response.headers.get("Location")
        if response.status not in _REDIRECT_STATUSES or not location:
            return hop, response
        hop = hop.redirected_to(location, response.status)
    raise FetchFailure("too_many_redirects", f"There were more than {max_redirects} redirects.")


def _is_conditional(headers: Mapping[str, str]) -> bool:
    return any(name.lower() in _CONDITIONS for name in headers)


def _refuse_failed_status(response: http.client.HTTPResponse, now: datetime) -> None:
    if 200 <= response.status < 300:
        return
    raise FetchFailure(
        "http_status",
        f"The server answered with status {response.status}.",
        status=response.status,
        retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After"), now),
        body_start=_body_start(response),
    )


def _body_start(response: http.client.HTTPResponse) -> bytes:
    """Return up to EXCERPT_BYTES of the decoded body, as far as they arrive before the deadline."""
    start = b""
    try:
        decoder = decoder_for(response.headers.get("Content-Encoding", ""))
        while len(start) < EXCERPT_BYTES:
            piece = response.read1(EXCERPT_BYTES)
            start += b"".join(decoder.feed(piece))
            if not piece:
                break
    except (OSError, http.client.HTTPException, CompressionError):
        pass  # The status is the failure to report; what arrived of the explanation will do.
    return start[:EXCERPT_BYTES]


def _receive(response: http.client.HTTPResponse, exchange: GuardedExchange) -> tuple[IO[bytes], bool]:
    """Return the decoded body, positioned at its end, and whether it was cut off."""
    # By now http.client has determined the length, also for chunked responses and those without a body.
    announced = response.length
    if announced is not None and announced > exchange.guard.limits.max_bytes:
        raise _too_large(exchange)
    with ExitStack() as closing:
        body = closing.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))
        is_cut_off = _copy(response, body, exchange, announced)
        closing.pop_all()  # the caller closes the body
    return body, is_cut_off


def _copy(
    response: http.client.HTTPResponse, body: IO[bytes], exchange: GuardedExchange, announced: int | None
) -> bool:
    """Copy the decoded bytes into `body`; return whether the server sent fewer than it announced."""
    decoder = decoder_for(response.headers.get("Content-Encoding", ""))
    max_bytes = exchange.guard.limits.max_bytes
    received = 0
    while True:
        # A kept connection has no end that would tell that the body ends.
        piece, is_broken = _next_piece(response) if announced is None or received < announced else (b"", False)
        received += len(piece)
        if received > max_bytes:
            raise _too_large(exchange)
        _write_decoded(decoder, piece, body, exchange)
        if not piece:
            return is_broken or (announced is not None and received < announced) or not decoder.is_complete


def _next_piece(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """Return the next bytes as received, none at the end, and whether the stream broke."""
    try:
        # Not read(): if the connection is reset, it loses the bytes received before.
        return response.read1(_PIECE_BYTES), False
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException):
        return b"", True


def _write_decoded(decoder: Decoder, piece: bytes, body: IO[bytes], exchange: GuardedExchange) -> None:
    room = exchange.guard.limits.max_bytes - body.tell()
    for decoded in decoder.feed(piece):
        exchange.guard.remaining_seconds()
        room -= len(decoded)
        if room < 0:
            raise _too_large(exchange)
        body.write(decoded)


def _too_large(exchange: GuardedExchange) -> FetchFailure:
    return FetchFailure("too_large", f"The response is larger than {exchange.guard.limits.max_bytes:,} bytes.")
