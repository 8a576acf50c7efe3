from __future__ import annotations

import gzip
import http.client
import json
import logging
import socket
import time
import zlib
from collections import Counter
from urllib.parse import urlsplit

import pytest

from simulator.base.clock import SetClock
from simulator.model.fleet import CsvDialect, Customer
from simulator.model.transport import TransportSettings
from simulator.tests.asking import Answer, get, post
from simulator.tests.serving import Serve
from tests.responses import Json


def current(url: str, query: str = "hours=1") -> Answer:
    return get(f"{url}/temperature/current?{query}")


def cut_bytes(url: str) -> bytes:
    """Return what arrives of a truncated body."""
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(url)
    return caught.value.partial


def test_an_internal_error(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, transport=TransportSettings(error_500=1.0))
    assert current(url).status == 500


def test_unavailable_with_the_time_to_wait(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, transport=TransportSettings(unavailable_503=1.0, retry_after_seconds=90.0))
    answer = current(url)
    assert (answer.status, answer.headers["retry-after"]) == (503, "90")


def test_a_page_instead_of_data(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, transport=TransportSettings(html=1.0))
    answer = current(url)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_a_hang_ends_without_a_response(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, transport=TransportSettings(hang=1.0, hang_seconds=0.2))
    with pytest.raises(http.client.RemoteDisconnected):
        current(url)


def test_a_hang_does_not_keep_the_server_from_closing(serve: Serve, freezer: Customer) -> None:
    url, served = serve(freezer, transport=TransportSettings(hang=1.0, hang_seconds=600.0))
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"GET /temperature/current HTTP/1.1\r\nHost: x\r\n\r\n")
        while not served.requests:
            get(f"{url}/health")
        began = time.monotonic()
        serve.closing()
        assert connection.recv(100) == b""
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize("name", ["cut_off", "hang"])
def test_a_connection_closed_on_purpose_is_no_error_of_the_servers(
    serve: Serve, freezer: Customer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    url, _ = serve(freezer, transport=TransportSettings(**{name: 1.0, "hang_seconds": 0.01}))
    with pytest.raises(http.client.HTTPException):
        current(url)
    serve.closing()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_slow_body_arrives_whole(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, transport=TransportSettings(slow_body=1.0, slow_seconds=0.2))
    began = time.monotonic()
    assert current(url).json()["reading_count"] == 60
    assert time.monotonic() - began >= 0.19


def test_a_json_body_is_cut_off_in_the_middle_of_a_row(serve: Serve, freezer: Customer) -> None:
    url, served = serve(freezer)
    whole = current(url).body
    served.transport = TransportSettings(cut_off=1.0)
    part = cut_bytes(f"{url}/temperature/current?hours=1")
    assert whole.startswith(part)
    assert part.count(b"{") == part.count(b"}") + 2  # the envelope and the row are left open


def test_a_csv_body_is_cut_off_in_the_middle_of_a_row(serve: Serve, freezer: Customer) -> None:
    url, served = serve(freezer)
    whole = get(f"{url}/data/download.csv").body
    served.transport = TransportSettings(cut_off=1.0)
    part = cut_bytes(f"{url}/data/download.csv")
    assert whole.startswith(part)
    assert not part.endswith(b"\n")
    assert part.splitlines()[-1].count(b",") < 13


def test_a_gzipped_body_is_cut_off_so_that_its_whole_rows_can_be_unpacked(serve: Serve, freezer: Customer) -> None:
    url, served = serve(freezer, csv_dialect=CsvDialect(gzip=True))
    whole = gzip.decompress(get(f"{url}/data/download.csv").body)
    served.transport = TransportSettings(cut_off=1.0)
    part = zlib.decompressobj(wbits=31).decompress(cut_bytes(f"{url}/data/download.csv"))
    assert whole.startswith(part)
    assert len(part) < len(whole)


def test_a_body_without_rows_is_cut_off_too(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, transport=TransportSettings(cut_off=1.0))
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut_bytes(f"{url}/facilities"))


def test_duplicated_rows_are_the_same_rows_twice(serve: Serve, freezer: Customer) -> None:
    url, served = serve(freezer)
    plain = current(url).json()["readings"]
    served.transport = TransportSettings(duplicated_rows=1.0)
    assert current(url).json()["readings"] == [row for row in plain for _ in (1, 2)]


def test_shuffled_rows_are_all_there(serve: Serve, freezer: Customer) -> None:
    url, served = serve(freezer)
    plain = get(f"{url}/data/download.csv").body.splitlines()
    served.transport = TransportSettings(shuffled_rows=1.0)
    shuffled = get(f"{url}/data/download.csv").body.splitlines()
    assert shuffled[0] == plain[0]
    assert shuffled != plain
    assert Counter(shuffled) == Counter(plain)


def test_garbage_rows_are_counted_beside_the_ledger(serve: Serve, freezer: Customer) -> None:
    url, served = serve(freezer)
    plain = current(url).json()["readings"]
    ledger = get(f"{url}/ledger").json()
    served.transport = TransportSettings(garbage_rows=0.5)
    sent = current(url).json()["readings"]
    garbage = [row for row in sent if row not in plain]
    assert [row for row in sent if row in plain] == plain
    assert 15 <= len(garbage) <= 45
    assert all(is_unreadable(row) for row in garbage)
    assert get(f"{url}/ledger").json() == {**ledger, "garbage_rows": len(garbage)}


def is_unreadable(row: Json) -> bool:
    temperature = row["temperature"]
    return (
        not row["unit_id"]
        or not row["timestamp"].startswith("2026-11")
        or not isinstance(temperature, float)
        or not -273.0 < temperature < 1_000.0
    )


def test_garbage_in_a_csv_keeps_its_columns(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, transport=TransportSettings(garbage_rows=1.0), csv_form="older")
    rows = get(f"{url}/data/download.csv?hours=1").csv()
    assert len(rows) == 120
    assert all(None not in row.values() and None not in row for row in rows)


def test_late_rows_come_once_their_time_has_come(serve: Serve, freezer: Customer, clock: SetClock) -> None:
    url, _ = serve(freezer, transport=TransportSettings(late_seconds=600.0))
    span = "since=2026-11-23T11:00:00&until=2026-11-23T12:00:00"
    early = current(url, span).json()["readings"]
    assert early == current(url, span).json()["readings"]
    assert 45 <= len(early) < 60
    clock.advance(minutes=10)
    assert current(url, span).json()["reading_count"] == 60


def test_a_run_is_repeatable(serve: Serve, freezer: Customer) -> None:
    settings = TransportSettings(error_500=0.3, html=0.3, duplicated_rows=0.3, shuffled_rows=0.5, garbage_rows=0.2)
    runs = []
    for _ in range(2):
        url, _ = serve(freezer, transport=settings)
        runs.append([(answer.status, answer.body) for answer in (current(url) for _ in range(10))])
    assert runs[0] == runs[1]
    assert len({status for status, _ in runs[0]}) == 2


def test_transport_is_set_at_run_time_and_what_is_set_replaces_what_was(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    assert post(f"{url}/simulate/transport", {"html": 1}).json() == {"customers": {"Z": {"html": 1}}}
    assert current(url).body.startswith(b"<!DOCTYPE")
    assert post(f"{url}/simulate/transport", {"late_seconds": 5}).json() == {"customers": {"Z": {"late_seconds": 5}}}
    assert get(f"{url}/simulate/transport").json() == {"customers": {"Z": {"late_seconds": 5}}}
    assert post(f"{url}/simulate/transport", {}).json() == {"customers": {"Z": {}}}
    assert current(url).json()["customer_id"] == "Z"


def test_transport_can_be_set_for_all_customers_at_once(served_fleet: dict[str, str]) -> None:
    post(f"{served_fleet['A']}/simulate/transport?customers=all", {"error_500": 1})
    assert {get(f"{url}/facilities").status for url in served_fleet.values()} == {500}


def test_transport_of_one_customer_leaves_the_others_alone(served_fleet: dict[str, str]) -> None:
    post(f"{served_fleet['A']}/simulate/transport", {"error_500": 1})
    statuses = {code: get(f"{url}/facilities").status for code, url in served_fleet.items()}
    assert statuses == {code: 500 if code == "A" else 200 for code in statuses}


def test_control_endpoints_are_never_disturbed(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, transport=TransportSettings(error_500=1.0))
    assert [get(url + path).status for path in ("/", "/health", "/ledger", "/faults", "/simulate/transport")] == [
        200
    ] * 5


def test_a_body_too_long_for_memory_is_streamed(serve: Serve, freezer: Customer) -> None:
    url, served = serve(freezer)
    answer = current(url, "hours=1200")
    assert answer.headers["transfer-encoding"] == "chunked"
    document = answer.json()
    assert document["reading_count"] == len(document["readings"]) == 72_000
    served.transport = TransportSettings(cut_off=1.0)
    assert answer.body.startswith(cut_bytes(f"{url}/temperature/current?hours=1200"))


def test_rows_of_late_units_and_bundles_come_all_at_once(serve: Serve, freezer: Customer, clock: SetClock) -> None:
    url, _ = serve(freezer, transport=TransportSettings(late_units=0.1, late_unit_seconds=1_800))
    assert current(url, "hours=1").json()["reading_count"] == 30
    post(f"{url}/simulate/transport", {"bundle_seconds": 3_600})
    clock.advance(minutes=59)
    assert current(url, "since=2026-11-23T12:00:00").json()["reading_count"] == 0
    clock.advance(minutes=1)
    assert current(url, "since=2026-11-23T12:00:00").json()["reading_count"] == 60


def test_pages_lead_from_one_to_the_next(serve: Serve, freezer: Customer, clock: SetClock) -> None:
    url, _ = serve(freezer, page_rows=25)
    counts, path = [], "/temperature/current?hours=1"
    while path:
        page = get(url + path).json()
        counts.append(page["reading_count"])
        path = page["next"]
        clock.advance(minutes=1)
    assert counts == [25, 25, 10]
