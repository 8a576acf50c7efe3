"""Fetching from customers' servers: complete, compressed, cut-off and invalid responses."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from pytest_django import Settings

from ingestion.polling.fetch import FetchLimits, allowed_networks_from_settings, limits_from_settings
from ingestion.polling.tests.fetching import failure_of, get
from ingestion.polling.tests.scripted_server import ScriptedServer, Visit, answer

# What a good server sends


def test_a_complete_response_is_returned_with_its_metadata(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(answer(b'{"readings": []}', headers="Content-Type: application/json; charset=utf-8\r\nX-A: 1\r\n"))
    before = datetime.now(UTC)

    with get(f"{server.url}/temperature/current?hours=0.25&api_key=hunter2#top") as fetched:
        body = fetched.body.read()

    assert (fetched.status, body, fetched.size_bytes) == (200, b'{"readings": []}', 16)
    assert fetched.content_type == "application/json; charset=utf-8"
    assert fetched.headers["x-a"] == "1"
    assert fetched.url == f"{server.url}/temperature/current?hours=0.25&api_key=***"
    assert before <= fetched.received_at <= datetime.now(UTC)
    assert fetched.received_at.tzinfo is UTC
    assert not fetched.is_cut_off
    assert fetched.body.closed


def test_the_request_has_a_user_agent_and_the_given_headers(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(answer(b"x"))

    get(f"{server.url}/a b?c=ü", headers={"X-Api-Key": "k"}, basic_auth=("cold store", "pä:ss"))

    lines = server.heads[0].decode().split("\r\n")
    assert lines[0] == "GET /a%20b?c=%C3%BC HTTP/1.1"
    assert "User-Agent: temperature-monitoring-system/1.0.0" in lines
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "X-Api-Key: k" in lines
    assert "Authorization: Basic Y29sZCBzdG9yZTpww6Q6c3M=" in lines


def test_no_content_is_a_valid_response(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(answer(status="204 No Content"))

    fetched = get(server.url)

    assert (fetched.status, fetched.size_bytes, fetched.is_cut_off) == (204, 0, False)


def test_a_large_response_is_copied_completely(serve: Callable[..., ScriptedServer]) -> None:
    body = bytes(range(256)) * 3_000

    fetched = get(serve(answer(body)).url)

    assert fetched.body.read() == body
    assert not fetched.is_cut_off


def test_a_chunked_response_is_reassembled(serve: Callable[..., ScriptedServer]) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    fetched = get(serve(lambda visit: visit.send(chunked)).url)

    assert (fetched.body.read(), fetched.is_cut_off) == (b"abcde", False)


def test_a_response_without_a_length_ends_with_the_connection(serve: Callable[..., ScriptedServer]) -> None:
    fetched = get(serve(lambda visit: visit.send(b"HTTP/1.0 200 OK\r\n\r\nabc")).url)

    assert (fetched.body.read(), fetched.is_cut_off) == (b"abc", False)


@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [
        ("gzip", gzip.compress(b"a;b\n1;2\n")),
        ("x-gzip", gzip.compress(b"a;b\n") + gzip.compress(b"1;2\n") + b"\0\0"),
        ("deflate", zlib.compress(b"a;b\n1;2\n")),
        ("identity", b"a;b\n1;2\n"),
    ],
)
def test_a_compressed_response_is_decompressed(
    serve: Callable[..., ScriptedServer], encoding: str, compressed: bytes
) -> None:
    fetched = get(serve(answer(compressed, headers=f"Content-Encoding: {encoding}\r\n")).url)

    assert (fetched.body.read(), fetched.size_bytes, fetched.is_cut_off) == (b"a;b\n1;2\n", 8, False)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip"])
def test_an_unsupported_or_damaged_compression_fails(serve: Callable[..., ScriptedServer], encoding: str) -> None:
    server = serve(answer(b"not compressed", headers=f"Content-Encoding: {encoding}\r\n"))

    assert failure_of(server.url).reason == "unreadable_encoding"


# Answers that end early


@pytest.mark.parametrize("resets", [False, True])
def test_what_was_received_before_a_cut_is_returned(serve: Callable[..., ScriptedServer], resets: bool) -> None:
    def script(visit: Visit) -> None:
        visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nrow 1\nrow 2\nro")
        if resets:
            visit.reset()

    fetched = get(serve(script).url)

    assert fetched.is_cut_off
    assert fetched.body.read() == b"row 1\nrow 2\nro"


@pytest.mark.parametrize("rest", [b"", b"5\r\nro", b"5", b"no size\r\n"])
def test_a_broken_chunked_response_is_cut_off(serve: Callable[..., ScriptedServer], rest: bytes) -> None:
    begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nrow 1\n\r\n"

    fetched = get(serve(lambda visit: visit.send(begin, rest)).url)

    assert fetched.is_cut_off
    assert fetched.body.read().startswith(b"row 1\n")


def test_a_compressed_response_that_ends_early_is_cut_off_without_a_length(
    serve: Callable[..., ScriptedServer],
) -> None:
    rows = b"".join(b"row %d\n" % number for number in range(1_000))
    half = gzip.compress(rows)[:-1_000]
    head = b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n"

    fetched = get(serve(lambda visit: visit.send(head, half)).url)

    body = fetched.body.read()
    assert fetched.is_cut_off
    assert len(body) > 1_000
    assert rows.startswith(body)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"1" * 70_000 + b"\r\n\r\n",
    ],
)
def test_an_empty_or_invalid_response_is_a_failed_connection(serve: Callable[..., ScriptedServer], sent: bytes) -> None:
    assert failure_of(serve(lambda visit: visit.send(sent)).url).reason == "connection_failed"


# Statuses


@pytest.mark.parametrize("status", [304, 300, 400, 401, 404, 429, 500, 503])
def test_an_error_status_fails_with_that_status(serve: Callable[..., ScriptedServer], status: int) -> None:
    failure = failure_of(serve(answer(b"sorry", status=f"{status} No")).url)

    assert (failure.reason, failure.status, failure.retry_after_seconds) == ("http_status", status, None)


def test_retry_after_is_honoured(serve: Callable[..., ScriptedServer]) -> None:
    failure = failure_of(serve(answer(status="429 Slow down", headers="Retry-After: 120\r\n")).url)

    assert failure.retry_after_seconds == 120


# Sizes


def test_a_response_that_announces_too_much_is_not_read(serve: Callable[..., ScriptedServer]) -> None:
    failure = failure_of(serve(answer(length=1_000_001)).url)

    assert failure.reason == "too_large"


def test_a_response_without_a_length_is_read_up_to_the_limit(serve: Callable[..., ScriptedServer]) -> None:
    def endless(visit: Visit) -> None:
        visit.send(b"HTTP/1.0 200 OK\r\n\r\n")
        visit.drip(b"x" * 50_000, every_seconds=0)

    assert failure_of(serve(endless).url).reason == "too_large"


@pytest.mark.parametrize("size", [999_999, 1_000_000])
def test_a_response_exactly_at_the_limit_is_accepted(serve: Callable[..., ScriptedServer], size: int) -> None:
    assert get(serve(answer(b"x" * size)).url).size_bytes == size


def test_a_decompression_bomb_is_refused(serve: Callable[..., ScriptedServer]) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000)
    server = serve(answer(bomb, headers="Content-Encoding: gzip\r\n"))

    assert len(bomb) < 200_000
    assert failure_of(server.url).reason == "too_large"


# Settings


def test_limits_and_networks_are_read_from_the_settings(settings: Settings) -> None:
    settings.SOURCE_CONNECT_SECONDS = 1.0
    settings.SOURCE_READ_SECONDS = 2.0
    settings.SOURCE_TOTAL_SECONDS = 3.0
    settings.SOURCE_MAX_BYTES = 4
    settings.SOURCE_MAX_REDIRECTS = 5
    settings.SOURCE_ALLOWED_NETWORKS = ["10.0.0.0/8", "fd00::/8"]

    assert limits_from_settings() == FetchLimits(1.0, 2.0, 3.0, 4, 5)
    assert allowed_networks_from_settings() == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
