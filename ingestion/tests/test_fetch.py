"""Fetching from servers that customers named, as they are and as they should not be."""

import gzip
import socket
import ssl
import threading
import time
import zlib
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ingestion.fetch import (
    FetchFailure,
    FetchLimits,
    allowed_networks_from_settings,
    fetch,
    limits_from_settings,
)
from ingestion.tests.scripted_server import ScriptedServer, Visit, answer
from trust import guarded_http

LOOPBACK = [ip_network("127.0.0.0/8")]
PATIENT = FetchLimits(connect_seconds=5, read_seconds=5, total_seconds=10, max_bytes=1_000_000)
HASTY = FetchLimits(connect_seconds=0.3, read_seconds=0.3, total_seconds=0.3, max_bytes=1_000_000)
NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


@pytest.fixture
def serve():
    """Start scripted servers that stop when the test ends."""
    with ExitStack() as running:
        yield lambda script, **options: running.enter_context(ScriptedServer(script, **options))


@pytest.fixture
def resolve(monkeypatch):
    """Return a dict from host name to its address, which is all that the resolver then knows besides addresses."""
    known: dict[str, str] = {}
    ask = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if host not in known and not host.replace(".", "").isdigit():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ask(known.get(host, host), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def get(url, *, limits=PATIENT, allowed_networks=LOOPBACK, **options):
    return fetch(url, limits=limits, allowed_networks=allowed_networks, **options)


def failure_of(url, **options) -> FetchFailure:
    with pytest.raises(FetchFailure) as caught:
        get(url, **options)
    return caught.value


# What a good server sends


def test_a_whole_answer_comes_back_with_all_that_is_known_about_it(serve):
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


def test_the_request_says_who_asks_and_carries_the_given_headers(serve):
    server = serve(answer(b"x"))

    get(f"{server.url}/a b?c=ü", headers={"X-Api-Key": "k"}, basic_auth=("cold store", "pä:ss"))

    lines = server.heads[0].decode().split("\r\n")
    assert lines[0] == "GET /a%20b?c=%C3%BC HTTP/1.1"
    assert "User-Agent: temperature-monitoring-system/0.1.0" in lines
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "X-Api-Key: k" in lines
    assert "Authorization: Basic Y29sZCBzdG9yZTpww6Q6c3M=" in lines


def test_no_content_is_an_answer_too(serve):
    server = serve(answer(status="204 No Content"))

    fetched = get(server.url)

    assert (fetched.status, fetched.size_bytes, fetched.is_cut_off) == (204, 0, False)


def test_a_large_answer_is_copied_whole(serve):
    body = bytes(range(256)) * 3_000

    fetched = get(serve(answer(body)).url)

    assert fetched.body.read() == body
    assert not fetched.is_cut_off


def test_chunks_are_put_together(serve):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    fetched = get(serve(lambda visit: visit.send(chunked)).url)

    assert (fetched.body.read(), fetched.is_cut_off) == (b"abcde", False)


def test_an_answer_without_a_length_ends_with_the_connection(serve):
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
def test_a_compressed_answer_is_decompressed(serve, encoding, compressed):
    fetched = get(serve(answer(compressed, headers=f"Content-Encoding: {encoding}\r\n")).url)

    assert (fetched.body.read(), fetched.size_bytes, fetched.is_cut_off) == (b"a;b\n1;2\n", 8, False)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip"])
def test_an_answer_that_is_not_compressed_as_asked_or_said_fails(serve, encoding):
    server = serve(answer(b"not compressed", headers=f"Content-Encoding: {encoding}\r\n"))

    assert failure_of(server.url).reason == "unreadable_encoding"


# Answers that end early


@pytest.mark.parametrize("resets", [False, True])
def test_what_arrived_before_a_cut_is_returned_as_cut_off(serve, resets):
    def script(visit: Visit) -> None:
        visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nrow 1\nrow 2\nro")
        if resets:
            visit.reset()

    fetched = get(serve(script).url)

    assert fetched.is_cut_off
    assert fetched.body.read() == b"row 1\nrow 2\nro"


@pytest.mark.parametrize("rest", [b"", b"5\r\nro", b"5", b"no size\r\n"])
def test_a_stream_of_chunks_that_breaks_is_cut_off(serve, rest):
    begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nrow 1\n\r\n"

    fetched = get(serve(lambda visit: visit.send(begin, rest)).url)

    assert fetched.is_cut_off
    assert fetched.body.read().startswith(b"row 1\n")


def test_a_compressed_stream_that_ends_early_is_cut_off_even_when_no_length_was_promised(serve):
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
def test_nothing_at_all_or_no_http_is_a_failed_connection(serve, sent):
    assert failure_of(serve(lambda visit: visit.send(sent)).url).reason == "connection_failed"


# Statuses


@pytest.mark.parametrize("status", [304, 300, 400, 401, 404, 429, 500, 503])
def test_an_answer_that_is_no_success_fails_with_its_status(serve, status):
    failure = failure_of(serve(answer(b"sorry", status=f"{status} No")).url)

    assert (failure.reason, failure.status, failure.retry_after_seconds) == ("http_status", status, None)


def test_a_server_that_asks_for_time_is_heard(serve):
    failure = failure_of(serve(answer(status="429 Slow down", headers="Retry-After: 120\r\n")).url)

    assert failure.retry_after_seconds == 120


# Sizes


def test_an_answer_that_announces_too_much_is_not_read(serve):
    failure = failure_of(serve(answer(length=1_000_001)).url)

    assert failure.reason == "too_large"


def test_an_answer_without_a_length_is_read_no_further_than_the_limit(serve):
    def endless(visit: Visit) -> None:
        visit.send(b"HTTP/1.0 200 OK\r\n\r\n")
        visit.drip(b"x" * 50_000, every_seconds=0)

    assert failure_of(serve(endless).url).reason == "too_large"


@pytest.mark.parametrize("size", [999_999, 1_000_000])
def test_an_answer_of_just_the_limit_is_taken(serve, size):
    assert get(serve(answer(b"x" * size)).url).size_bytes == size


def test_a_small_answer_that_inflates_to_a_large_one_is_refused(serve):
    bomb = gzip.compress(b"\0" * 200_000_000)
    server = serve(answer(bomb, headers="Content-Encoding: gzip\r\n"))

    assert len(bomb) < 200_000
    assert failure_of(server.url).reason == "too_large"


# Time


def test_a_server_that_never_answers_is_not_waited_for(serve):
    failure = failure_of(serve(Visit.hang).url, limits=HASTY)

    assert failure.reason == "timeout"


def test_silence_in_the_middle_of_an_answer_is_a_timeout_not_a_cut(serve):
    def script(visit: Visit) -> None:
        visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nrow 1\n")
        visit.hang()

    limits = FetchLimits(read_seconds=0.1, total_seconds=5)

    failure = failure_of(serve(script).url, limits=limits)

    assert (failure.reason, failure.message) == ("timeout", "127.0.0.1 was silent for too long.")


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: 1\r\n"),
    ],
    ids=["status", "header", "headers", "continue", "body", "chunks", "chunk size", "trailers"],
)
def test_a_server_that_drips_meets_the_same_deadline_wherever_it_drips(serve, begin, piece):
    def script(visit: Visit) -> None:
        visit.send(begin)
        visit.drip(piece)

    limits = FetchLimits(read_seconds=5, total_seconds=0.3)
    started = time.monotonic()

    failure = failure_of(serve(script).url, limits=limits)

    assert (failure.reason, failure.message) == ("timeout", "127.0.0.1 did not finish within 0.3 s in all.")
    assert time.monotonic() - started < 2


def test_redirects_share_one_deadline(serve):
    def script(visit: Visit) -> None:
        if not visit.is_over.wait(0.05):
            answer(status="302 Found", headers="Location: /again\r\n")(visit)

    failure = failure_of(serve(script).url, limits=FetchLimits(total_seconds=0.3, max_redirects=1_000))

    assert failure.reason == "timeout"


def test_a_resolver_that_does_not_answer_meets_the_deadline_too(monkeypatch):
    is_over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: is_over.wait(10) and [])

    failure = failure_of("http://slow.example/", limits=HASTY)

    is_over.set()
    assert failure.reason == "timeout"


def test_an_address_that_does_not_answer_is_not_waited_for():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with ExitStack() as waiting:
            for _ in range(2):  # a queue of nobody holds one; what comes after it hears nothing
                client = waiting.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(full.getsockname())

            failure = failure_of(f"http://127.0.0.1:{full.getsockname()[1]}/", limits=HASTY)

    assert failure.reason == "timeout"


# Addresses


def test_a_closed_address_is_not_connected_to(serve):
    server = serve(answer(b"secret"))

    failure = failure_of(server.url, allowed_networks=[])

    assert failure.reason == "address_not_allowed"
    assert server.heads == []


def test_a_name_that_leads_to_a_closed_address_is_not_connected_to(serve, resolve):
    server = serve(answer(b"secret"))
    resolve["feeds.example"] = "127.0.0.1"

    failure = failure_of(f"http://feeds.example:{server.port}/", allowed_networks=[ip_network("10.0.0.0/8")])

    assert failure.reason == "address_not_allowed"
    assert server.heads == []


def test_a_name_is_looked_up_once_so_that_it_cannot_change_its_mind(serve, monkeypatch):
    server = serve(answer(b"x"))
    answers = iter(["127.0.0.1", "169.254.169.254"])
    asked = []
    ask = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        asked.append(host)
        return ask(next(answers), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    get(f"http://rebinding.example:{server.port}/")

    assert asked == ["rebinding.example"]
    assert f"Host: rebinding.example:{server.port}".encode() in server.heads[0]


def test_every_redirect_is_checked_like_the_first_address(serve, resolve):
    inside = serve(answer(b"secret"))
    resolve["inside.example"] = "127.0.0.2"
    outside = serve(answer(status="302 Found", headers=f"Location: http://inside.example:{inside.port}/\r\n"))

    failure = failure_of(outside.url, allowed_networks=[ip_network("127.0.0.1/32")])

    assert failure.reason == "address_not_allowed"
    assert inside.heads == []


def test_a_name_that_does_not_exist_is_said_to_be_unknown(resolve):
    assert failure_of("http://nowhere.example/").reason == "name_not_resolved"


def test_a_name_that_cannot_exist_is_a_failure_like_any_other(resolve):
    assert failure_of(f"http://{'a' * 70}.example/").reason in ("name_not_resolved", "invalid_url")


def test_a_port_where_nobody_listens_refuses(serve):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert failure_of(f"http://127.0.0.1:{port}/").reason == "connection_refused"


def test_proxies_and_passwords_from_the_environment_are_not_used(serve, monkeypatch, tmp_path):
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
def test_only_http_and_https_are_spoken(url):
    assert failure_of(url).reason == "unsupported_scheme"


@pytest.mark.parametrize(
    "url", ["http://", "http:///path", "http://127.0.0.1:99999/", "http://[::1/", "http://u:hunter2@127.0.0.1/"]
)
def test_a_url_that_leads_nowhere_or_holds_a_password_is_refused(url):
    failure = failure_of(url)

    assert failure.reason == "invalid_url"
    assert "hunter2" not in str(failure)


def test_a_line_break_in_a_url_does_not_reach_the_request(serve):
    server = serve(answer(b"x"))

    get(f"{server.url}/a\r\nX-Injected: 1")

    assert b"\r\nX-Injected" not in server.heads[0]


@pytest.mark.parametrize("value", ["1\r\nX-Injected: 1", "漢"])
def test_a_header_that_no_request_can_carry_is_refused(serve, value):
    failure = failure_of(serve(answer(b"x")).url, headers={"X-Key": value})

    assert failure.reason == "invalid_header"
    assert failure.__cause__ is None


# Redirects

SECRETS = {"X-Api-Key": "hunter2", "Authorization": "Bearer hunter2", "Accept": "text/csv"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_origin_keeps_the_credentials(serve, status):
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


def test_a_redirect_to_another_origin_loses_the_credentials_for_good(serve):
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


def test_redirects_end_at_their_limit(serve):
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
def test_a_redirect_to_where_no_source_may_be_is_refused(serve, location, reason):
    server = serve(answer(status="302 Found", headers=f"Location: {location}\r\n"))

    assert failure_of(server.url).reason == reason


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """Return a file with a key and a certificate for feeds.example that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "feeds.example")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("feeds.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    written_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "feeds.example.pem"
    path.write_bytes(written_key + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server_tls(certificate, monkeypatch):
    """Return the TLS of a server whose certificate the client trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    guarded_http.tls_context.cache_clear()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    yield context
    guarded_http.tls_context.cache_clear()


def test_https_checks_the_certificate_against_the_name_not_the_address(serve, server_tls, resolve):
    server = serve(answer(b"x" * 100_000), tls=server_tls)
    resolve.update({"feeds.example": "127.0.0.1", "feeds.example.": "127.0.0.1", "other.example": "127.0.0.1"})

    assert get(f"https://feeds.example:{server.port}/").size_bytes == 100_000
    assert get(f"https://feeds.example.:{server.port}/").size_bytes == 100_000
    failure = failure_of(f"https://other.example:{server.port}/")
    assert (failure.reason, "certificate" in failure.message) == ("tls_failed", True)
    assert failure_of(f"https://127.0.0.1:{server.port}/").reason == "tls_failed"


def test_a_certificate_that_nobody_vouches_for_is_refused(serve, server_tls, resolve, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    guarded_http.tls_context.cache_clear()
    server = serve(answer(b"x"), tls=server_tls)
    resolve["feeds.example"] = "127.0.0.1"

    assert failure_of(f"https://feeds.example:{server.port}/").reason == "tls_failed"
    assert server.heads == []


def test_a_server_that_does_not_speak_tls_is_said_to_fail_at_it(serve):
    server = serve(lambda visit: visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), reads_request=False)

    assert failure_of(f"https://127.0.0.1:{server.port}/").reason in ("tls_failed", "connection_failed")


def test_a_redirect_from_https_to_http_is_refused(serve, server_tls, resolve):
    plain = serve(answer(b"x"))
    server = serve(answer(status="302 Found", headers=f"Location: {plain.url}/\r\n"), tls=server_tls)
    resolve["feeds.example"] = "127.0.0.1"

    assert failure_of(f"https://feeds.example:{server.port}/").reason == "insecure_redirect"
    assert plain.heads == []


def test_a_server_that_drips_within_tls_meets_the_deadline(serve, server_tls, resolve):
    def script(visit: Visit) -> None:
        visit.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        visit.drip(b"a")

    server = serve(script, tls=server_tls)
    resolve["feeds.example"] = "127.0.0.1"

    failure = failure_of(f"https://feeds.example:{server.port}/", limits=FetchLimits(total_seconds=0.3))

    assert failure.reason == "timeout"


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x03\x3f\x00\x02\x00\x3e\xfc"], ids=["silent", "dripping"])
def test_a_handshake_that_does_not_end_meets_the_deadline(serve, begin):
    def script(visit: Visit) -> None:
        visit.send(begin)
        visit.drip(b"\0") if begin else visit.hang()

    server = serve(script, reads_request=False)
    limits = FetchLimits(connect_seconds=5, total_seconds=0.3)
    started = time.monotonic()

    failure = failure_of(f"https://127.0.0.1:{server.port}/", limits=limits)

    assert failure.reason == "timeout"
    assert time.monotonic() - started < 2


def test_an_encrypted_answer_that_is_cut_is_cut_off(serve, server_tls, resolve):
    server = serve(answer(b"row 1\nro", length=100), tls=server_tls)
    resolve["feeds.example"] = "127.0.0.1"

    fetched = get(f"https://feeds.example:{server.port}/")

    assert (fetched.body.read(), fetched.is_cut_off) == (b"row 1\nro", True)


# The same guard for others


def test_a_message_is_posted_under_the_same_guard(serve):
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


# Settings


def test_limits_and_networks_are_read_from_the_settings(settings):
    settings.SOURCE_CONNECT_SECONDS = 1.0
    settings.SOURCE_READ_SECONDS = 2.0
    settings.SOURCE_TOTAL_SECONDS = 3.0
    settings.SOURCE_MAX_BYTES = 4
    settings.SOURCE_MAX_REDIRECTS = 5
    settings.SOURCE_ALLOWED_NETWORKS = ["10.0.0.0/8", "fd00::/8"]

    assert limits_from_settings() == FetchLimits(1.0, 2.0, 3.0, 4, 5)
    assert allowed_networks_from_settings() == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
