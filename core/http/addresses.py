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

# Never public, whatever a version of `ipaddress` says of them.
_DENIED: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "100.64.0.0/10",  # carrier-grade NAT, in which clouds also have services of their own
            "168.63.129.16/32",  # Azure's platform, reachable from every virtual machine
            "169.254.0.0/16",  # link-local, with the metadata of virtual machines
            "192.0.0.0/24",  # assigned to protocols
            "192.0.2.0/24",  # documentation, like the three below
            "198.51.100.0/24",
            "203.0.113.0/24",
            "2001:db8::/32",
            "3fff::/20",
            "192.88.99.0/24",  # relays, which forward packets to an IPv4 address in the IPv6 address, and that address
            "2002::/16",
            "64:ff9b::/96",  # NAT64, which does the same
            "64:ff9b:1::/48",
            "fec0::/10",  # site-local, which was private before fc00::/7
            "224.0.0.0/4",  # multicast
            "ff00::/8",
        ),
    )
)
ANY_PORT = range(1, 65_536)
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


def parse_ports(written: Iterable[str]) -> tuple[range, ...]:
    """Parse ports such as "443" and ranges of them such as "8000-8010". Raise ValueError for an invalid one."""
    return tuple(_parse_port_range(text.strip()) for text in written)


def _parse_port_range(text: str) -> range:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise ValueError(f"{text!r} is not a port")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[0] not in ANY_PORT or ports[-1] not in ANY_PORT:
        raise ValueError(f"{text!r} is not a port from 1 to 65535")
    return ports


def is_public(address: Address) -> bool:
    """Return whether the address is publicly routable."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _DENIED)


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
