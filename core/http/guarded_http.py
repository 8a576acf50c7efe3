"""HTTP requests to URLs that customers supply, guarded from the name lookup to the last byte.

Built on http.client, which uses no proxies from the environment, no .netrc, no cookies and no redirects, and logs no
addresses. It is guarded in two places: `connect` connects to an address that was checked just before, and the socket
sets its timeout before every receive and send. So a server that sends one byte at a time, in a handshake, a header or a
body, runs into the same deadline as a silent one.
"""

import http.client
import socket
import ssl
import time
import tomllib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, TypeAlias

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from core.http.addresses import ANY_PORT, AddressNotAllowed, Endpoint, Network, permitted_endpoints
from core.http.idle_connections import IdleConnections

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class FetchLimits:
    """The limits of one exchange. The total time includes name lookups, redirects and the body."""

    connect_seconds: float = 5.0  # for each address tried, and again for the TLS handshake
    read_seconds: float = 15.0  # without receiving anything
    total_seconds: float = 30.0
    max_bytes: int = 64 * MEBIBYTE  # of the body, before and after decompression
    max_redirects: int = 5
    ports: Sequence[range] = (ANY_PORT,)  # that may be connected to


class FetchFailure(Exception):  # noqa: N818 - an expected outcome that a delivery records, not a bug
    """An exchange that failed.

    `reason` is a stable code, `message` a sentence without secrets, `status` the HTTP status if there was one, and
    `retry_after_seconds` the wait that the server requested, at most a day; None if it requested none. `body_start` is
    the beginning of the response's body as it was sent, which may contain secrets; b"" if there was none.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        status: int | None = None,
        retry_after_seconds: int | None = None,
        body_start: bytes = b"",
    ) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.body_start = body_start

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class Guard:
    """The limits and allowed networks of one exchange. The total time starts when the guard is created."""

    def __init__(self, limits: FetchLimits, allowed_networks: Sequence[Network], ca_certificates: str = "") -> None:
        self.limits = limits
        self.ca_certificates = ca_certificates
        self.allowed_networks = allowed_networks
        self._ends_at = time.monotonic() + limits.total_seconds

    def remaining_seconds(self) -> float:
        """Return the seconds left until the deadline. Raise TimeoutError if there are none."""
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
    """A socket whose receives and sends end by its guard's deadline."""

    guard: Guard | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Receive like the base class, by the deadline."""
        self._shrink_timeout()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        """Send like the base class, by the deadline."""
        self._shrink_timeout()
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        """Send like the base class, by the deadline."""
        self._shrink_timeout()
        super().sendall(*args, **kwargs)

    def _shrink_timeout(self) -> None:
        if self.guard is not None:
            self.settimeout(self.guard.read_timeout())


class GuardedTLSSocket(GuardedSocket, ssl.SSLSocket):
    """The same over TLS. The timeout of the wrapped socket limits the handshake as a whole, not each packet."""


class GuardedConnection(http.client.HTTPConnection):
    """An HTTP connection to a checked address."""

    def __init__(self, host: str, port: int, guard: Guard) -> None:
        super().__init__(host, port)
        self.guard = guard

    def connect(self) -> None:
        """Look up, check and connect. Raise FetchFailure."""
        self.sock = connect_to(self.host, self.port, self.guard)


class GuardedTLSConnection(http.client.HTTPSConnection):
    """An HTTPS connection to a checked address; the certificate must match the name, not the address."""

    def __init__(self, host: str, port: int, guard: Guard) -> None:
        super().__init__(host, port, context=tls_context(guard.ca_certificates))
        self.guard = guard

    def connect(self) -> None:
        """Look up, check, connect and shake hands. Raise FetchFailure, ssl.SSLError or OSError."""
        plain = connect_to(self.host, self.port, self.guard)
        try:
            plain.settimeout(self.guard.connect_timeout())
            # The trailing dot of a fully qualified name is for the resolver; certificates do not contain it.
            secured = tls_context(self.guard.ca_certificates).wrap_socket(plain, server_hostname=self.host.rstrip("."))
        except (OSError, ValueError):
            plain.close()
            raise
        secured.guard = self.guard  # type: ignore[attr-defined]  # an attribute of our own
        self.sock = secured


def _name_and_version() -> str:
    project_file = Path(__file__).resolve().parents[2] / "pyproject.toml"
    project = tomllib.loads(project_file.read_text(encoding="utf-8"))["project"]
    return f"{project['name']}/{project['version']}"


# Identifies this system in the servers' logs.
USER_AGENT = _name_and_version()
_OWN_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}
# What a server that has closed a kept connection, or closes it at this moment, leads to.
_CLOSED = (ConnectionError, http.client.RemoteDisconnected, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_Connection: TypeAlias = GuardedConnection | GuardedTLSConnection


class GuardedExchange:
    """Requests to a customer's servers under one deadline; a context manager that closes its connections.

    Redirects are returned like any other response: to follow one, call `open` again, which checks the new address.
    """

    def __init__(
        self,
        limits: FetchLimits,
        allowed_networks: Sequence[Network],
        ca_certificates: str = "",
        *,
        idle_connections: IdleConnections | None = None,
    ) -> None:
        """`ca_certificates` (PEM) are trusted in addition to the system's.

        GET requests use `idle_connections`, and their own is kept there by `finish`; without, it is closed.
        """
        self.guard = Guard(limits, allowed_networks, ca_certificates)
        self._idle_connections = idle_connections
        self._connection: _Connection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._key: Hashable = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and the response that is being read from it."""
        for opened in (self._response, self._connection):
            if opened is not None:
                opened.close()
        self._response = self._connection = None

    def finish(self) -> None:
        """Keep the connection for other requests after the body was read completely, if the server allows that."""
        response, connection = self._response, self._connection
        if self._idle_connections is None or self._key is None or response is None or connection is None:
            return
        if not response.will_close and not _has_more(response, connection):
            response.close()
            self._response = self._connection = None
            self._idle_connections.keep(self._key, connection)

    def open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> http.client.HTTPResponse:
        """Send a request and return the response with its body unread, after closing the previous response.

        Raise FetchFailure. Reading the body raises OSError and HTTPException, as with http.client.
        """
        self.close()
        target = parse_target(url)
        host = target.host or ""
        try:
            self._response = self._request(method, target, headers, body)
        except TimeoutError as error:
            raise timed_out(host, self.guard) from error
        except ssl.SSLError as error:
            raise _tls_failure(host, error) from error
        # The messages of InvalidURL and ValueError quote the invalid value, which may be a secret: they are not
        # chained.
        except http.client.InvalidURL:
            raise FetchFailure("invalid_url", "The URL contains invalid characters.") from None
        except (OSError, http.client.HTTPException) as error:
            raise FetchFailure("connection_failed", f"{host} closed the connection without a response.") from error
        except ValueError:
            raise FetchFailure("invalid_header", "A request header contains invalid characters.") from None
        return self._response

    def _request(
        self, method: str, target: Url, headers: Mapping[str, str], body: bytes | None
    ) -> http.client.HTTPResponse:
        """Send the request on a kept connection, or on a new one if there is none or the server has closed it."""
        kind = GuardedTLSConnection if target.scheme == "https" else GuardedConnection
        host, port = (target.host or "").strip("[]"), port_of(target)
        # Sending anything else again could do something twice.
        self._key = self._key_of(target) if method == "GET" and body is None else None
        while idle := self._idle_connection():
            self._connection = idle
            try:
                return self._exchange(idle, method, target, headers, body)
            except _CLOSED:
                idle.close()
        self._connection = kind(host, port, self.guard)
        return self._exchange(self._connection, method, target, headers, body)

    def _exchange(
        self, connection: _Connection, method: str, target: Url, headers: Mapping[str, str], body: bytes | None
    ) -> http.client.HTTPResponse:
        is_kept = self._idle_connections is not None and self._key is not None
        own = {**_OWN_HEADERS, "Connection": "keep-alive" if is_kept else "close"}
        connection.request(method, target.request_uri, body, {**own, **headers})
        return connection.getresponse()

    def _idle_connection(self) -> _Connection | None:
        if self._idle_connections is None or self._key is None:
            return None
        idle = self._idle_connections.take(self._key)
        if not isinstance(idle, GuardedConnection | GuardedTLSConnection):
            return None
        idle.guard = self.guard
        _guard_socket(idle, self.guard)
        return idle

    def _key_of(self, target: Url) -> Hashable:
        """Return what a kept connection must have been opened for: this server, under the same rules."""
        guard = self.guard
        rules = (tuple(guard.allowed_networks), tuple(guard.limits.ports), guard.ca_certificates)
        return target.scheme, target.host, port_of(target), rules


def _guard_socket(connection: _Connection, guard: Guard | None) -> None:
    """Let the connection's socket end by this guard's deadline, or by none."""
    if isinstance(connection.sock, GuardedSocket):
        connection.sock.guard = guard


def _has_more(response: http.client.HTTPResponse, connection: _Connection) -> bool:
    """Return whether the server has sent more than the response: the next one would not begin where it should."""
    # That of chunks is closed at their end.
    if response.fp is None:
        return False
    _guard_socket(connection, None)
    connection.sock.settimeout(0)
    try:
        return bool(response.fp.peek(1))
    except ssl.SSLWantReadError:
        return False
    except (OSError, ValueError):
        return True


def parse_target(url: str) -> Url:
    """Parse an absolute http or https URL, percent-encoding it where needed. Raise FetchFailure."""
    try:
        target = parse_url(url)
    except LocationParseError:
        raise FetchFailure("invalid_url", "The URL is invalid.") from None
    if target.scheme not in ("http", "https"):
        raise FetchFailure("unsupported_scheme", "The URL must begin with http:// or https://.")
    if not target.host:
        raise FetchFailure("invalid_url", "The URL has no host.")
    if target.auth is not None:
        # Most clients would send it, some even to another host after a redirect, and logs would keep it.
        raise FetchFailure("invalid_url", "The URL contains a user name. Enter it as credentials instead.")
    return target


def port_of(target: Url) -> int:
    """Return the port of a URL that `parse_target` returned."""
    if target.port is not None:
        return target.port
    return 443 if target.scheme == "https" else 80


def connect_to(host: str, port: int, guard: Guard) -> GuardedSocket:
    """Connect to the first permitted address of the host that accepts; return the socket. Raise FetchFailure."""
    last_error: OSError | None = None
    if not any(port in ports for ports in guard.limits.ports):
        raise FetchFailure("address_not_allowed", f"Port {port} of {host} is not allowed. See OUTGOING_PORTS.")
    try:
        for endpoint in permitted_endpoints(host, port, guard.allowed_networks, guard.remaining_seconds()):
            try:
                return _connect(endpoint, guard)
            except OSError as error:
                last_error = error
        guard.remaining_seconds()
    except AddressNotAllowed:
        raise FetchFailure("address_not_allowed", f"{host} has no public address.") from None
    except TimeoutError as error:
        raise timed_out(host, guard) from error
    except (socket.gaierror, UnicodeError) as error:
        raise FetchFailure("name_not_resolved", f"The name {host} could not be resolved.") from error
    raise _not_connected(host, guard, last_error) from last_error


def timed_out(host: str, guard: Guard) -> FetchFailure:
    """Return the failure that names the exceeded time limit."""
    try:
        guard.remaining_seconds()
    except TimeoutError:
        return FetchFailure("timeout", f"{host} did not finish within {guard.limits.total_seconds:g} s.")
    return FetchFailure("timeout", f"{host} did not respond in time.")


@lru_cache(maxsize=256)
def tls_context(ca_certificates: str = "") -> ssl.SSLContext:
    """Return the TLS context of all requests: certificates and names are verified with the system's authorities.

    `ca_certificates` (PEM) are those of further authorities. One of the whole system belongs to the system's store, or
    is named in `SSL_CERT_FILE`. Raise ssl.SSLError for invalid ones.
    """
    context = ssl.create_default_context()
    if ca_certificates:
        context.load_verify_locations(cadata=ca_certificates)
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
    return FetchFailure("connection_failed", f"Could not connect to {host}.")


def _tls_failure(host: str, error: ssl.SSLError) -> FetchFailure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchFailure("tls_failed", f"The certificate of {host} is not valid: {error.verify_message}.")
    return FetchFailure("tls_failed", f"Could not establish a secure connection to {host}.")
