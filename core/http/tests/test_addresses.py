"""Which network addresses a customer's URL may lead to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from core.http.addresses import (
    AddressNotAllowed,
    is_permitted,
    is_public,
    look_up,
    parse_networks,
    parse_ports,
    permitted_endpoints,
)

CLOSED = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "0.1.2.3",  # noqa: S104 - an address to judge, not to bind to
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "168.63.129.16", "192.0.0.9", "192.0.0.10", "192.0.0.170", "224.0.0.251",
    "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1",
    "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "93.184.216.34", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("address", CLOSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not is_permitted(ip_address(address), ())


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_permitted(address: str) -> None:
    assert is_public(ip_address(address))
    assert is_permitted(ip_address(address), ())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.0.0/16"),
        ("127.0.0.1", "127.0.0.0/8"),
        ("100.64.0.1", "100.64.0.0/10"),
        ("::ffff:10.1.2.3", "10.1.0.0/16"),
        ("::ffff:10.1.2.3", "::ffff:10.1.0.0/112"),
        ("fd12::1", "fd00::/8"),
        ("fe80::1%eth0", "fe80::/10"),
    ],
)
def test_the_addresses_of_an_allowed_network_are_permitted(address: str, network: str) -> None:
    assert is_permitted(ip_address(address), parse_networks([network]))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.2.0.1", "10.1.0.0/16"),
        ("2002:a01:203::1", "10.1.0.0/16"),
        ("64:ff9b::a01:203", "10.1.0.0/16"),
        ("::1", "127.0.0.0/8"),
    ],
)
def test_an_allowed_network_permits_no_other_addresses(address: str, network: str) -> None:
    assert not is_permitted(ip_address(address), parse_networks([network]))


def test_ports_are_numbers_and_ranges() -> None:
    assert parse_ports(["443", " 8000-8010 "]) == (range(443, 444), range(8000, 8011))


@pytest.mark.parametrize("text", ["", "0", "65536", "https", "9-8", "80-", "-80", "1-2-3"])
def test_an_invalid_port_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        parse_ports([text])


@pytest.mark.parametrize("text", ["10.0.0.1/8", "home", "10.0.0.0/33", ""])
def test_an_invalid_network_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"host bits|does not appear"):
        parse_networks([text])


def _resolver_that_finds(*addresses: str) -> Callable[..., list[tuple[object, ...]]]:
    def getaddrinfo(host: str, port: int, *args: object, **kwargs: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    return getaddrinfo


def test_only_the_permitted_addresses_of_a_name_are_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _resolver_that_finds("10.0.0.1", "8.8.8.8", "::1", "2606:4700::1"))

    endpoints = permitted_endpoints("feeds.example", 443, (), seconds=5)

    assert [endpoint.socket_address for endpoint in endpoints] == [("8.8.8.8", 443), ("2606:4700::1", 443, 0, 0)]


def test_a_name_without_permitted_addresses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _resolver_that_finds("169.254.169.254", "fd00::1"))

    with pytest.raises(AddressNotAllowed):
        permitted_endpoints("feeds.example", 80, (), seconds=5)


@pytest.mark.parametrize("spelling", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1"])
def test_an_unusual_notation_of_an_address_is_checked_like_any_other(spelling: str) -> None:
    with pytest.raises(AddressNotAllowed):
        permitted_endpoints(spelling, 80, (), seconds=5)


def test_an_unknown_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    with pytest.raises(socket.gaierror):
        look_up("nowhere.example", 80, seconds=5)


def test_an_unresponsive_resolver_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: is_over.wait(10) and [])

    with pytest.raises(TimeoutError):
        look_up("slow.example", 80, seconds=0.05)
    is_over.set()
