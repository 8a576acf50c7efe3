"""Fetching connects only to allowed addresses and follows only valid URLs and redirects."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from core.http import guarded_http
from ingestion.polling.fetch import FetchFailure, FetchLimits
from ingestion.polling.tests.fetching import LOOPBACK, PATIENT, failure_of, get
from ingestion.polling.tests.scripted_server import ScriptedServer, Visit, answer


def test_a_private_address_is_not_connected_to(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(answer(b"secret"))

    failure = failure_of(server.url, allowed_networks=[])

    assert failure.reason == "address_not_allowed"
    assert server.heads == []


def test_a_name_with_a_private_address_is_not_connected_to(
    serve: Callable[..., ScriptedServer], resolve: dict[str, str]
) -> None:
    server = serve(answer(b"secret"))
    resolve["feeds.example"] = "127.0.0.1"

    failure = failure_of(f"http://feeds.example:{server.port}/", allowed_networks=[ip_network("10.0.0.0/8")])

    assert failure.reason == "address_not_allowed"
    assert server.heads == []


def test_a_name_is_resolved_once_so_that_rebinding_has_no_effect(
    serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answer(b"x"))
    answers = iter(["127.0.0.1", "169.254.169.254"])
    asked = []
    ask = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> object:
        asked.append(host)
        return ask(next(answers), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    get(f"http://rebinding.example:{server.port}/")

    assert asked == ["rebinding.example"]
    assert f"Host: rebinding.example:{server.port}".encode() in server.heads[0]


def test_every_redirect_is_checked_like_the_first_url(
    serve: Callable[..., ScriptedServer], resolve: dict[str, str]
) -> None:
    inside = serve(answer(b"secret"))
    resolve["inside.example"] = "127.0.0.2"
    outside = serve(answer(status="302 Found", headers=f"Location: http://inside.example:{inside.port}/\r\n"))

    failure = failure_of(outside.url, allowed_networks=[ip_network("127.0.0.1/32")])

    assert failure.reason == "address_not_allowed"
    assert inside.heads == []


def test_an_unknown_name_is_reported(resolve: dict[str, str]) -> None:
    assert failure_of("http://nowhere.example/").reason == "name_not_resolved"


def test_an_invalid_name_is_a_failure_like_any_other(resolve: dict[str, str]) -> None:
    assert failure_of(f"http://{'a' * 70}.example/").reason in ("name_not_resolved", "invalid_url")


def test_a_closed_port_refuses_the_connection(serve: Callable[..., ScriptedServer]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert failure_of(f"http://127.0.0.1:{port}/").reason == "connection_refused"


def test_proxies_and_passwords_from_the_environment_are_not_used(
    serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = serve(answer(b"x"))
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login u password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    assert get(server.url).status == 200
    assert b"Authorization" not in server.heads[0]


# URLs


@pytest.mark.parametrize(
    "url", ["ftp://feeds.example/", "file:///etc/passwd", "gopher://127.0.0.1/", "feeds.example/a", ""]
)
def test_only_http_and_https_are_supported(url: str) -> None:
    assert failure_of(url).reason == "unsupported_scheme"


@pytest.mark.parametrize(
    "url", ["http://", "http:///path", "http://127.0.0.1:99999/", "http://[::1/", "http://u:hunter2@127.0.0.1/"]
)
def test_a_url_without_a_host_or_with_a_password_is_rejected(url: str) -> None:
    failure = failure_of(url)

    assert failure.reason == "invalid_url"
    assert "hunter2" not in str(failure)


def test_a_line_break_in_a_url_does_not_reach_the_request(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(answer(b"x"))

    get(f"{server.url}/a\r\nX-Injected: 1")

    assert b"\r\nX-Injected" not in server.heads[0]


@pytest.mark.parametrize("value", ["1\r\nX-Injected: 1", "漢"])
def test_an_invalid_header_is_rejected(serve: Callable[..., ScriptedServer], value: str) -> None:
    failure = failure_of(serve(answer(b"x")).url, headers={"X-Key": value})

    assert failure.reason == "invalid_header"
    assert failure.__cause__ is None


# Redirects

SECRETS = {"X-Api-Key": "hunter2", "Authorization": "Bearer hunter2", "Accept": "text/csv"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_origin_keeps_the_credentials(serve: Callable[..., ScriptedServer], status: int) -> None:
    def script(visit: Visit) -> None:
        if visit.head.startswith(b"GET /new?token=1 "):
            answer(b"found")(visit)
        else:
            answer(b"elsewhere", status=f"{status} Moved", headers="Location: new?token=1\r\n")(visit)

    server = serve(script)

    fetched = get(f"{server.url}/old", headers=SECRETS)

    assert fetched.body.read() == b"found"
    assert fetched.url == f"{server.url}/new?token=***"
    assert b"X-Api-Key: hunter2" in server.heads[1]


def test_a_redirect_to_another_origin_loses_the_credentials_for_good(serve: Callable[..., ScriptedServer]) -> None:
    def home_script(visit: Visit) -> None:
        if visit.head.startswith(b"GET /back "):
            answer(b"found")(visit)
        else:
            answer(status="302 Found", headers=f"Location: {other.url}/\r\n")(visit)

    home = serve(home_script)
    other = serve(answer(status="302 Found", headers=f"Location: {home.url}/back\r\n"))

    get(home.url, headers=SECRETS, basic_auth=("u", "hunter2"))

    assert b"hunter2" in home.heads[0]
    for head in (other.heads[0], home.heads[1]):
        assert b"X-Api-Key" not in head
        assert b"Authorization" not in head
        assert b"Accept: text/csv" in head


def test_redirects_end_at_their_limit(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(answer(status="302 Found", headers="Location: /again\r\n"))

    failure = failure_of(server.url, limits=FetchLimits(max_redirects=3))

    assert failure.reason == "too_many_redirects"
    assert len(server.heads) == 4


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/passwd", "unsupported_scheme"),
        ("http://u:p@127.0.0.1/", "invalid_url"),
        ("http://[::1/", "invalid_url"),
    ],
)
def test_a_redirect_to_an_invalid_url_is_refused(
    serve: Callable[..., ScriptedServer], location: str, reason: str
) -> None:
    server = serve(answer(status="302 Found", headers=f"Location: {location}\r\n"))

    assert failure_of(server.url).reason == reason


# The same guard for others


def test_a_message_is_posted_under_the_same_guard(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(answer(b"taken", status="202 Accepted"))

    with guarded_http.GuardedExchange(PATIENT, LOOPBACK) as exchange:
        response = exchange.open("POST", f"{server.url}/hook", {"X-Signature": "1"}, b'{"alarm": 1}')
        taken = (response.status, response.read())

    assert taken == (202, b"taken")
    assert server.heads[0].startswith(b"POST /hook HTTP/1.1")
    assert b"Content-Length: 12" in server.heads[0]
    with (
        guarded_http.GuardedExchange(PATIENT, []) as exchange,
        pytest.raises(FetchFailure, match="address_not_allowed"),
    ):
        exchange.open("POST", server.url, {}, b"")


def test_a_port_that_is_not_allowed_receives_no_connection() -> None:
    with ScriptedServer(answer(b"[]")) as server:
        failure = failure_of(server.url, limits=FetchLimits(ports=(range(443, 444),)), allowed_networks=LOOPBACK)
    assert failure.reason == "address_not_allowed"
    assert "Port" in failure.message
    assert server.heads == []
