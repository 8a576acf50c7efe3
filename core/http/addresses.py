"""Which network addresses a customer's URL may lead to.

A customer types the URL and this machine opens it, so an address counts as closed unless it is plainly public or
the operator named its network in `SOURCE_ALLOWED_NETWORKS`. Names are looked up here, once, and the very addresses
that were checked are what the caller connects to: a name that answers differently a moment later changes nothing.
"""

import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Addresses the library calls global although nobody's server lives there: relays that would carry the packet on
# to an IPv4 address written inside the IPv6 one, and the newer range for documentation.
_RELAYS_AND_EXAMPLES: tuple[Network, ...] = (
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),
)
# The only part of IPv6 given out for global unicast; NAT64, IPv4-mapped and site-local addresses lie outside it.
_GLOBAL_UNICAST = IPv6Network("2000::/3")


class AddressNotAllowed(Exception):  # noqa: N818 - named for what happened, as the delivery's log shows it
    """A host leads only to addresses that are neither public nor in a network the operator allowed."""


@dataclass(frozen=True)
class Endpoint:
    """One address to connect to; `socket_address` is what `socket.connect` takes for that `family`."""

    family: int
    socket_address: tuple[object, ...]
    address: Address


def parse_networks(written: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks written in CIDR notation. Raise ValueError for one that is not, host bits included."""
    return tuple(ip_network(text.strip()) for text in written)


def is_public(address: Address) -> bool:
    """Say whether anyone on the internet could reach the address by exactly this number."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _RELAYS_AND_EXAMPLES)


def is_permitted(address: Address, allowed: Sequence[Network]) -> bool:
    """Say whether this machine may connect to the address: a public one, or one inside an allowed network.

    An IPv4 address mapped into IPv6 is never public, and is inside the networks of either of its two spellings.
    """
    spellings: list[Address] = [address]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        spellings.append(address.ipv4_mapped)
    return is_public(address) or any(spelling in network for spelling in spellings for network in allowed)


def look_up(host: str, port: int, seconds: float) -> list[Endpoint]:
    """Return the addresses of a host, in the resolver's order.

    Raise socket.gaierror when it has none, UnicodeError when the name cannot be one, TimeoutError after `seconds`.
    """
    answers: SimpleQueue[list[Endpoint] | OSError | UnicodeError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_ask_resolver(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    # The resolver takes no deadline, and a customer's silent name server must not hold a worker beyond its own. The
    # thread outlives the wait by the resolver's own patience at most.
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

    Raise AddressNotAllowed when there are only others, and what `look_up` raises.
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
