"""Which network addresses a customer's URL may lead to.

Customers enter URLs that this machine opens, so an address is refused unless it is public or in a network that the
operator listed in `SOURCE_ALLOWED_NETWORKS`. A name is resolved once, and the caller connects to the addresses that
were checked, so DNS rebinding has no effect.
"""

import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Addresses that `ipaddress` calls global although they are not public hosts: 6to4 relays, which forward packets to an
# embedded IPv4 address, and the newer range for documentation.
_RELAYS_AND_EXAMPLES: tuple[Network, ...] = (
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),
)
# The only IPv6 range assigned to global unicast. NAT64, IPv4-mapped and site-local addresses are outside it.
_GLOBAL_UNICAST = IPv6Network("2000::/3")


class AddressNotAllowed(Exception):  # noqa: N818 - describes what happened, as the delivery log shows it
    """None of the host's addresses is public or in a network that the operator allows."""


@dataclass(frozen=True)
class Endpoint:
    """An address to connect to; `socket_address` is the argument of `socket.connect` for this `family`."""

    family: int
    socket_address: tuple[object, ...]
    address: Address


def parse_networks(written: Iterable[str]) -> tuple[Network, ...]:
    """Parse networks in CIDR notation. Raise ValueError for an invalid one, such as one with host bits set."""
    return tuple(ip_network(text.strip()) for text in written)


def is_public(address: Address) -> bool:
    """Return whether the address is publicly routable."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _RELAYS_AND_EXAMPLES)


def is_permitted(address: Address, allowed: Sequence[Network]) -> bool:
    """Return whether this machine may connect to the address: a public one, or one in an allowed network.

    An IPv4 address mapped into IPv6 is never public, and is allowed by networks that contain either of its two forms.
    """
    forms: list[Address] = [address]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        forms.append(address.ipv4_mapped)
    return is_public(address) or any(form in network for form in forms for network in allowed)


def look_up(host: str, port: int, seconds: float) -> list[Endpoint]:
    """Return the addresses of a host, in the resolver's order.

    Raise socket.gaierror if it has none, UnicodeError if the name is invalid, TimeoutError after `seconds`.
    """
    answers: SimpleQueue[list[Endpoint] | OSError | UnicodeError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_ask_resolver(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    # The resolver has no timeout, and a customer's unresponsive name server must not block a worker. The thread ends
    # when the resolver gives up.
    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=max(seconds, 0))
    except Empty:
        raise TimeoutError(f"{host} was not resolved in time") from None
    if isinstance(answer, list):
        return answer
    raise answer


def permitted_endpoints(host: str, port: int, allowed: Sequence[Network], seconds: float) -> list[Endpoint]:
    """Return the host's addresses that this machine may connect to, at least one.

    Raise AddressNotAllowed if there are none, and whatever `look_up` raises.
    """
    permitted = [endpoint for endpoint in look_up(host, port, seconds) if is_permitted(endpoint.address, allowed)]
    if not permitted:
        raise AddressNotAllowed(host)
    return permitted


def _ask_resolver(host: str, port: int) -> list[Endpoint]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [
        Endpoint(family, socket_address, ip_address(socket_address[0]))
        for family, _, _, _, socket_address in found
        if family in (socket.AF_INET, socket.AF_INET6)
    ]
