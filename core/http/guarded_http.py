"""HTTP to servers that customers named: one exchange, guarded from the name look-up to the last byte.

Built on http.client, which opens nothing by itself: it knows no proxies from the environment, no .netrc, no cookies
and no redirects, and logs no addresses. Two of its seams carry the guard. `connect` connects to an address that was
checked just before; and the socket sets its own timeout before every single receive and send, so that a server which
drips one byte at a time, in a handshake, a header or a body, meets the same deadline as one that is silent.
"""

import http.client
import socket
import ssl
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from core.http.addresses import AddressNotAllowed, Endpoint, Network, permitted_endpoints

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class FetchLimits:
    """How long, how much and how far one exchange may go. The total covers look-ups, redirects and the body."""

    connect_seconds: float = 5.0  # for each address tried, the TLS handshake again as long
    read_seconds: float = 15.0  # of silence
    total_seconds: float = 30.0
    max_bytes: int = 64 * MEBIBYTE  # of the body, before and after decompression
    max_redirects: int = 5


class FetchFailure(Exception):  # noqa: N818 - an expected outcome that a delivery records, not a fault of ours
    """An exchange that brought nothing.

    `reason` is a stable code, `message` a sentence without secrets, `status` the HTTP status when there was one, and
    `retry_after_seconds` what the server asked for, at most a day; None when it asked for nothing.
    """

    def __init__(
        self, reason: str, message: str, *, status: int | None = None, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.status = status
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class Guard:
    """The limits and allowed networks of one exchange. Its deadline starts to run when it is made."""

    def __init__(self, limits: FetchLimits, allowed_networks: Sequence[Network]) -> None:
        self.limits = limits
        self.allowed_networks = allowed_networks
        self._ends_at = time.monotonic() + limits.total_seconds

    def remaining_seconds(self) -> float:
        """Return the seconds left until the deadline. Raise TimeoutError when there are none."""
        remaining = self._ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the whole exchange took too long")
        return remaining

    def read_timeout(self) -> float:
        """Return how long the next receive or send may block, in seconds."""
        return min(self.limits.read_seconds, self.remaining_seconds())

    def connect_timeout(self) -> float:
        """Return how long the next connect or handshake may block, in seconds."""
        return min(self.limits.connect_seconds, self.remaining_seconds())


class GuardedSocket(socket.socket):
    """A socket whose every receive and send ends by the deadline of its guard."""

    guard: Guard | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Receive as the socket does, by the deadline."""
        self._shrink_timeout()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        """Send as the socket does, by the deadline."""
        self._shrink_timeout()
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        """Send as the socket does, by the deadline."""
        self._shrink_timeout()
        super().sendall(*args, **kwargs)

    def _shrink_timeout(self) -> None:
        if self.guard is not None:
            self.settimeout(self.guard.read_timeout())


class GuardedTLSSocket(GuardedSocket, ssl.SSLSocket):
    """The same over TLS. The handshake runs under the timeout of the socket it wraps, in total, not per packet."""


class GuardedConnection(http.client.HTTPConnection):
    """An HTTP connection to a checked address."""

    def __init__(self, host: str, port: int, guard: Guard) -> None:
        super().__init__(host, port)
        self.guard = guard

    def connect(self) -> None:
        """Look up, check and connect. Raise FetchFailure."""
        self.sock = connect_to(self.host, self.port, self.guard)


class GuardedTLSConnection(http.client.HTTPSConnection):
    """An HTTPS connection to a checked address; the certificate is checked against the name, not the address."""

    def __init__(self, host: str, port: int, guard: Guard) -> None:
        super().__init__(host, port, context=tls_context())
        self.guard = guard

    def connect(self) -> None:
        """Look up, check, connect and shake hands. Raise FetchFailure, or ssl.SSLError and OSError in the handshake."""
        plain = connect_to(self.host, self.port, self.guard)
        try:
            plain.settimeout(self.guard.connect_timeout())
            # A fully qualified name's last dot is for the resolver; certificates are issued without it.
            secured = tls_context().wrap_socket(plain, server_hostname=self.host.rstrip("."))
        except (OSError, ValueError):
            plain.close()
            raise
        secured.guard = self.guard  # type: ignore[attr-defined]
        self.sock = secured


def _name_and_version() -> str:
    project_file = Path(__file__).resolve().parents[2] / "pyproject.toml"
    project = tomllib.loads(project_file.read_text(encoding="utf-8"))["project"]
    return f"{project['name']}/{project['version']}"


# Who asks, as the servers' own logs show it.
USER_AGENT = _name_and_version()
_OWN_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", "Connection": "close"}


class GuardedExchange:
    """Requests to servers that customers named, under one deadline; a context manager that closes what it opened.

    Redirects are handed back like any other answer: whoever follows one asks `open` again and is checked again.
    """

    def __init__(self, limits: FetchLimits, allowed_networks: Sequence[Network]) -> None:
        self.guard = Guard(limits, allowed_networks)
        self._connection: GuardedConnection | GuardedTLSConnection | None = None
        self._response: http.client.HTTPResponse | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and the answer that is still being read from it."""
        for opened in (self._response, self._connection):
            if opened is not None:
                opened.close()
        self._response = self._connection = None

    def open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> http.client.HTTPResponse:
        """Send one request and return the answer with its body unread. The previous answer is closed.

        Raise FetchFailure. Reading the body raises what http.client raises: OSError and HTTPException.
        """
        self.close()
        target = parse_target(url)
        host = target.host or ""
        kind = GuardedTLSConnection if target.scheme == "https" else GuardedConnection
        try:
            self._connection = kind(host.strip("[]"), port_of(target), self.guard)
            self._connection.request(method, target.request_uri, body, {**_OWN_HEADERS, **headers})
            self._response = self._connection.getresponse()
        except TimeoutError as error:
            raise timed_out(host, self.guard) from error
        except ssl.SSLError as error:
            raise _tls_failure(host, error) from error
        # These two quote what they refuse, which may be a secret; so they are not kept as the cause.
        except http.client.InvalidURL:
            raise FetchFailure("invalid_url", "The URL holds characters that no URL may hold.") from None
        except (OSError, http.client.HTTPException) as error:
            raise FetchFailure("connection_failed", f"The connection to {host} broke before an answer.") from error
        except ValueError:
            raise FetchFailure("invalid_header", "A request header holds characters no header may hold.") from None
        return self._response


def parse_target(url: str) -> Url:
    """Return the parts of an absolute http or https URL, percent-encoded where needed. Raise FetchFailure."""
    try:
        target = parse_url(url)
    except LocationParseError:
        raise FetchFailure("invalid_url", "The URL cannot be read.") from None
    if target.scheme not in ("http", "https"):
        raise FetchFailure("unsupported_scheme", "The URL must begin with http:// or https://.")
    if not target.host:
        raise FetchFailure("invalid_url", "The URL names no host.")
    if target.auth is not None:
        # Half of all tools would send these, some to the wrong host after a redirect; logs would keep them.
        raise FetchFailure("invalid_url", "The URL holds a user name; it belongs into the source's credentials.")
    return target


def port_of(target: Url) -> int:
    """Return the port that a URL of `parse_target` leads to."""
    if target.port is not None:
        return target.port
    return 443 if target.scheme == "https" else 80


def connect_to(host: str, port: int, guard: Guard) -> GuardedSocket:
    """Return a socket connected to the first checked address of the host that answers. Raise FetchFailure."""
    last_error: OSError | None = None
    try:
        for endpoint in permitted_endpoints(host, port, guard.allowed_networks, guard.remaining_seconds()):
            try:
                return _connect(endpoint, guard)
            except OSError as error:
                last_error = error
        guard.remaining_seconds()
    except AddressNotAllowed:
        raise FetchFailure("address_not_allowed", f"{host} is not at a public address.") from None
    except TimeoutError as error:
        raise timed_out(host, guard) from error
    except (socket.gaierror, UnicodeError) as error:
        raise FetchFailure("name_not_resolved", f"The name {host} was not found.") from error
    raise _not_connected(host, guard, last_error) from last_error


def timed_out(host: str, guard: Guard) -> FetchFailure:
    """Return the failure that says which of the time limits was reached."""
    try:
        guard.remaining_seconds()
    except TimeoutError:
        return FetchFailure("timeout", f"{host} did not finish within {guard.limits.total_seconds:g} s in all.")
    return FetchFailure("timeout", f"{host} was silent for too long.")


@cache
def tls_context() -> ssl.SSLContext:
    """Return the context of all HTTPS: certificates and names verified against the system's authorities.

    A private authority is added the usual way, to the system's store or by `SSL_CERT_FILE`.
    """
    context = ssl.create_default_context()
    context.sslsocket_class = GuardedTLSSocket
    context.set_alpn_protocols(["http/1.1"])
    return context


def _connect(endpoint: Endpoint, guard: Guard) -> GuardedSocket:
    connected = GuardedSocket(endpoint.family, socket.SOCK_STREAM)
    try:
        connected.settimeout(guard.connect_timeout())
        connected.connect(endpoint.socket_address)
    except OSError:
        connected.close()
        raise
    connected.guard = guard
    return connected


def _not_connected(host: str, guard: Guard, error: OSError | None) -> FetchFailure:
    if isinstance(error, TimeoutError):
        return timed_out(host, guard)
    if isinstance(error, ConnectionRefusedError):
        return FetchFailure("connection_refused", f"{host} refused the connection.")
    return FetchFailure("connection_failed", f"No connection to {host} could be made.")


def _tls_failure(host: str, error: ssl.SSLError) -> FetchFailure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchFailure("tls_failed", f"The certificate of {host} was not accepted: {error.verify_message}.")
    return FetchFailure("tls_failed", f"No secure connection to {host} could be agreed on.")
