from __future__ import annotations

import gzip
import socket
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest

from simulator.base.clock import SetClock
from simulator.base.instants import naive_text
from simulator.conftest import NOON
from simulator.model.fleet import CsvDialect, Customer, DataQuality
from simulator.model.simulation import Simulation
from simulator.payloads.rows import CSV_FIELDS, JSON_FIELDS
from simulator.server.run import served_in_thread
from simulator.tests.asking import get, post
from simulator.tests.serving import Serve


def test_every_customer_of_the_default_fleet_says_who_it_is(served_fleet: dict[str, str]) -> None:
    answers = {code: get(f"{url}/").json() for code, url in served_fleet.items()}
    assert list(answers) == list("ABCDEFGHIJ")
    assert all(answer["customer"] == code for code, answer in answers.items())
    assert answers["A"]["customer_name"] == "Pharma Corp A"
    assert answers["A"]["unit_count"] == 9
    assert "/temperature/current" in answers["A"]["endpoints"]


def test_a_customer_is_healthy_and_knows_the_simulated_time(served_fleet: dict[str, str]) -> None:
    assert get(f"{served_fleet['B']}/health").json() == {"status": "ok", "customer": "B", "now": NOON.isoformat()}


def test_any_port_serves_the_other_customers_under_their_code(served_fleet: dict[str, str]) -> None:
    assert get(f"{served_fleet['A']}/c/J/").json()["customer"] == "J"
    assert get(f"{served_fleet['A']}/c/J").json()["customer"] == "J"
    ours, theirs = get(f"{served_fleet['A']}/c/J/facilities"), get(f"{served_fleet['J']}/facilities")
    assert ours.body == theirs.body


def test_one_port_serves_a_whole_fleet(simulation: Simulation) -> None:
    with served_in_thread(simulation, single_port=True) as urls:
        root = urls["A"].removesuffix("/c/A")
        assert urls["J"] == f"{root}/c/J"
        assert [each["path"] for each in get(f"{root}/").json()["customers"]][:2] == ["/c/A", "/c/B"]
        assert get(f"{root}/health").json()["customers"] == 10
        assert get(f"{root}/ledger").json()["customers"]["J"] == get(f"{urls['J']}/ledger").json()
        assert get(f"{root}/temperature/current").status == 404
        assert set(post(f"{root}/simulate/transport", {"html": 1}).json()["customers"]) == set("ABCDEFGHIJ")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("ledger?start=0001-01-01", "start"),
        ("ledger?start=0001-01-01&end=0001-01-02", "start"),
        ("temperature/current?since=0001-01-01", "since"),
        ("temperature/historical?since=0001-01-01&until=0001-01-02&unit_id=unit_A_1_1", "since"),
    ],
)
def test_a_span_that_begins_in_another_age_is_refused(served_fleet: dict[str, str], path: str, name: str) -> None:
    answer = get(f"{served_fleet['A']}/{path}")
    assert answer.status == 400
    assert answer.json() == {"detail": f"{name} must be at most 87840 hours before now"}


# Shape 1


def test_current_readings_have_the_customers_envelope(served_fleet: dict[str, str]) -> None:
    document = get(f"{served_fleet['A']}/temperature/current?hours=0.25").json()
    assert list(document) == ["customer_id", "generated_at", "reading_count", "readings"]
    assert document["generated_at"] == "2026-11-23T12:00:00.000000"
    assert document["reading_count"] == len(document["readings"]) > 30
    for reading in document["readings"]:
        assert tuple(reading) == JSON_FIELDS
        assert "2026-11-23T11:45:00" <= reading["timestamp"] <= "2026-11-23T12:00:00"
        assert len(reading["timestamp"]) == len("2026-11-23T10:11:11.123456")
    one = next(each for each in document["readings"] if each["unit_id"] == "unit_A_1_1")
    assert (one["facility_id"], one["unit_name"], one["set_temperature"]) == (
        "facility_A_1",
        "Ultra-Low Freezer 1",
        -74.2,
    )
    assert (one["size"], one["size_unit"], one["city"], one["country"]) == (328, "sqm", "Oxford", "England")
    assert 0.9 <= one["quality_score"] <= 1.0
    assert abs(one["temperature"] + 74.2) < 3.0


@pytest.mark.parametrize("name", ["data", "items", "results"])
def test_some_customers_use_another_name_for_the_list(serve: Serve, freezer: Customer, name: str) -> None:
    url, _ = serve(freezer, envelope=name)
    assert len(get(f"{url}/temperature/current").json()[name]) == 15


def test_some_customers_send_a_bare_list(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, envelope="bare")
    assert len(get(f"{url}/temperature/current").json()) == 15


def test_names_cities_and_temperatures_can_be_null(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, data_quality=DataQuality(null_reading=1.0, null_name=1.0, null_city=1.0))
    for reading in get(f"{url}/temperature/current").json()["readings"]:
        assert (reading["unit_name"], reading["city"], reading["temperature"], reading["quality_score"]) == (
            None,
            None,
            None,
            0.0,
        )


def test_equipment_status_is_sent_where_the_customer_does(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, sends_equipment_status=True)
    start = (NOON - timedelta(minutes=5)).isoformat()
    post(f"{url}/simulate/fault/unit_Z_1_1", {"kind": "compressor_failure", "start": start, "duration_minutes": 60})
    statuses = [reading["equipment_status"] for reading in get(f"{url}/temperature/current").json()["readings"]]
    assert statuses == ["normal"] * 10 + ["error"] * 5


def test_nothing_from_the_future_is_served(serve: Serve, freezer: Customer, clock: SetClock) -> None:
    url, _ = serve(freezer)
    later = f"{url}/temperature/current?since=2026-11-23T11:50:00&until=2026-11-23T13:00:00"
    assert get(later).json()["reading_count"] == 10
    clock.advance(minutes=5)
    assert get(later).json()["reading_count"] == 15


def test_since_and_until_ask_for_a_half_open_span(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    span = get(f"{url}/temperature/current?hours=1").json()["readings"]
    first, last = span[10]["timestamp"], span[20]["timestamp"]
    assert get(f"{url}/temperature/current?since={first}&until={last}").json()["readings"] == span[10:20]


# Shape 2


def test_the_csv_download_has_the_common_header_and_a_days_rows(served_fleet: dict[str, str]) -> None:
    answer = get(f"{served_fleet['E']}/data/download.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = answer.csv()
    assert tuple(rows[0]) == CSV_FIELDS["common"]
    assert {row["unit_id"] for row in rows} == {
        f"unit_E_{n}" for n in ("1_1", "1_2", "1_3", "1_4", "2_1", "2_2", "2_3")
    }
    assert min(row["timestamp"] for row in rows) < "2026-11-22T12:15:00"
    assert "" in {row["unit_name"] for row in rows}
    assert "" in {row["city"] for row in rows}


def test_overlapping_downloads_repeat_rows_exactly(served_fleet: dict[str, str], clock: SetClock) -> None:
    first = get(f"{served_fleet['E']}/data/download.csv").body.splitlines()
    clock.advance(minutes=5)
    second = get(f"{served_fleet['E']}/data/download.csv").body.splitlines()
    assert len(set(first) & set(second)) > len(first) - 10


def test_the_older_form_calls_the_scale_degrees_and_the_unit_storage_room(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, csv_form="older")
    row = get(f"{url}/data/download.csv?hours=1").csv()[0]
    assert tuple(row) == CSV_FIELDS["older"]
    assert (row["storage_room"], row["degrees"], row["unit_id"]) == ("Freezer 1", "C", "unit_Z_1_1")
    assert float(row["temperature"]) == pytest.approx(-20.0, abs=3.0)


def test_timestamps_with_a_blank_have_whole_seconds(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, timestamps="space")
    for row in get(f"{url}/data/download.csv?hours=1").csv():
        datetime.strptime(row["timestamp"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - naive as sent


def test_a_download_with_nothing_in_it_is_204(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    answer = get(f"{url}/data/download.csv?since=2026-11-23T12:00:00")
    assert (answer.status, answer.body) == (204, b"")


def test_204_can_be_followed_by_a_text(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"GET /data/download.csv?since=2026-11-23T12:00:00 HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(4_096), b""))
    head, _, text = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 204 ")
    assert b"Connection: close" in head
    assert text == b"No data available"


def test_downloads_have_the_customers_dialect(serve: Serve, freezer: Customer) -> None:
    dialect = CsvDialect(";", ",", "utf-8-sig", "\r\n", gzip=True, trailer="summary")
    url, _ = serve(freezer, csv_dialect=dialect)
    answer = get(f"{url}/data/download.csv?hours=1")
    assert answer.headers["content-encoding"] == "gzip"
    text = gzip.decompress(answer.body)
    assert text.startswith(b"\xef\xbb\xbfcustomer_id;facility_id")
    lines = text.decode("utf-8-sig").split("\r\n")
    assert lines[-2:] == ["Rows: 60", ""]
    assert lines[1].split(";")[4].replace(",", ".").startswith("-")
    assert "," in lines[1].split(";")[4]


def test_a_blank_trailer_is_an_empty_line(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, csv_dialect=CsvDialect(trailer="blank"))
    assert get(f"{url}/data/download.csv?hours=1").body.endswith(b"\n\n")


def test_names_with_the_delimiter_in_them_are_quoted(serve: Serve, freezer: Customer) -> None:
    facility = freezer.facilities[0]
    unit = replace(facility.units[0], name='Freezer "1", left')
    url, _ = serve(freezer, facilities=(replace(facility, units=(unit,)),))
    assert get(f"{url}/data/download.csv?hours=1").csv()[0]["unit_name"] == 'Freezer "1", left'


# Shape 3


def test_one_unit_at_a_time_comes_in_whole_degrees_without_a_time(served_fleet: dict[str, str]) -> None:
    document = get(f"{served_fleet['C']}/temperature/unit/unit_C_1_1").json()
    assert list(document) == ["customer", "storage_room", "temp", "degrees"]
    assert (document["customer"], document["storage_room"], document["degrees"]) == ("C", "Industrial Freezer 1", "F")
    assert isinstance(document["temp"], int)
    assert abs(document["temp"] + 16) <= 4


def test_a_unit_can_be_asked_for_by_its_name(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    assert get(f"{url}/temperature/unit/Freezer%201").json() == get(f"{url}/temperature/unit/unit_Z_1_1").json()


def test_a_unit_without_power_has_no_temperature(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    start = (NOON - timedelta(minutes=5)).isoformat()
    post(f"{url}/simulate/fault/unit_Z_1_1", {"kind": "power_cut", "start": start, "duration_minutes": 60})
    assert get(f"{url}/temperature/unit/unit_Z_1_1").status == 503


def test_a_dead_sensor_gives_null(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, data_quality=DataQuality(null_reading=1.0))
    assert get(f"{url}/temperature/unit/unit_Z_1_1").json()["temp"] is None


# Shape 4


def test_history_is_newest_first_and_limited(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    document = get(f"{url}/temperature/historical?unit_id=unit_Z_1_1&hours=2&limit=20").json()
    assert document["readings_count"] == len(document["readings"]) == 20
    assert (document["start_time"], document["end_time"]) == (naive_text(NOON - timedelta(hours=2)), naive_text(NOON))
    stamps = [reading["timestamp"] for reading in document["readings"]]
    assert stamps == sorted(stamps, reverse=True)
    assert stamps[0] > "2026-11-23T11:59:00"


def test_history_without_a_unit_is_of_all_units(served_fleet: dict[str, str]) -> None:
    readings = get(f"{served_fleet['A']}/temperature/historical?hours=1&limit=10000").json()["readings"]
    assert len({reading["unit_id"] for reading in readings}) == 9


def test_history_agrees_with_current_readings(served_fleet: dict[str, str]) -> None:
    history = get(f"{served_fleet['A']}/temperature/historical?hours=3&limit=10000").json()["readings"]
    assert history[::-1] == get(f"{served_fleet['A']}/temperature/current?hours=3").json()["readings"]


# Shape 5


def test_facilities_list_what_to_register(served_fleet: dict[str, str]) -> None:
    document = get(f"{served_fleet['A']}/facilities").json()
    assert (document["customer"], document["customer_name"]) == ("A", "Pharma Corp A")
    facility = document["facilities"][0]
    assert {name: facility[name] for name in ("id", "name", "city", "country")} == {
        "id": "facility_A_1",
        "name": "Pharma Facility 1",
        "city": "Oxford",
        "country": "England",
    }
    unit = facility["units"][0]
    assert unit.pop("data_quality")["null_reading"] == 0.0001
    assert unit == {
        "id": "unit_A_1_1",
        "name": "Ultra-Low Freezer 1",
        "size": 328,
        "size_unit": "sqm",
        "set_temperature": -74.2,
        "temperature_unit": "C",
        "data_frequency": 229,
    }


# Sending readings, faults, errors


def test_a_push_returns_the_number_of_acceptable_readings(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    good = {"unit_id": "unit_Z_1_1", "timestamp": "2026-11-23T10:00:00", "temperature": -20.1}
    bad = [
        {**good, "unit_id": "unit_9"},
        {**good, "unit_id": ["unit_Z_1_1"]},
        {**good, "timestamp": "yesterday"},
        {**good, "temperature": "cold"},
        {**good, "temperature": True},
        {**good, "temperature": -300},
        {**good, "temperature": 10**400},
        {**good, "temperature": float("nan")},
        {**good, "temperature": -460, "temperature_unit": "F"},
        {**good, "temperature_unit": "X"},
        5,
    ]
    rows = [good, {**good, "temperature": None}, {**good, "temperature": 1_500, "temperature_unit": "F"}, *bad]
    expected = {"received": 14, "accepted": 3, "rejected": 11}
    assert post(f"{url}/temperature/readings", {"readings": rows}).json() == expected
    assert post(f"{url}/temperature/readings", rows).json() == expected


def test_a_fault_is_created_once_however_often_it_is_posted(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    fault = {"kind": "sensor_dead", "start": "2026-11-23T11:30:00Z", "duration_minutes": 60}
    first, second = (post(f"{url}/simulate/fault/unit_Z_1_1", fault) for _ in range(2))
    assert (first.status, first.json()["created"]) == (201, True)
    assert (second.status, second.json()["created"]) == (200, False)
    assert get(f"{url}/faults").json() == {"faults": [first.json()["fault"]]}
    nulls = [reading["temperature"] for reading in get(f"{url}/temperature/current?hours=0.25").json()["readings"]]
    assert nulls == [None] * 15


@pytest.mark.parametrize(
    "query",
    [
        "hours=0",
        "hours=-1",
        "hours=nan",
        "hours=inf",
        "hours=1e9",
        "hours=",
        "hours=soon",
        "since=yesterday",
        "until=",
        "since=2026-11-23T11:00:00&until=2026-11-23T10:00:00",
        "limit=0",
        "limit=10001",
        "limit=-5",
        "limit=many",
        "limit=%C2%B2",
    ],
)
def test_an_invalid_query_is_400_with_the_reason(serve: Serve, freezer: Customer, query: str) -> None:
    url, _ = serve(freezer)
    answer = get(f"{url}/temperature/historical?{query}")
    assert answer.status == 400
    assert query.partition("=")[0] in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/c/nobody/health", 404),
        ("/temperature/unit/unit_9", 404),
        ("/temperature/historical?unit_id=unit_9", 404),
        ("/simulate/fault/unit_Z_1_1", 405),
        ("/ledger?start=never", 400),
        ("/ledger?start=2026-11-23&end=2026-11-22", 400),
        ("/ledger?end=0001-01-01", 400),
        ("/temperature/historical?until=0001-01-01", 400),
    ],
)
def test_unknown_paths_are_errors_in_json(serve: Serve, freezer: Customer, path: str, status: int) -> None:
    url, _ = serve(freezer)
    answer = get(f"{url}{path}")
    assert answer.status == status
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("/simulate/fault/unit_9", {"kind": "door_open", "duration_minutes": 5}, 404),
        ("/simulate/fault/unit_Z_1_1", {"kind": "fire", "duration_minutes": 5}, 400),
        ("/simulate/fault/unit_Z_1_1", [], 400),
        ("/simulate/fault/unit_Z_1_1", {"kind": "door_open", "duration_minutes": 10**400}, 400),
        ("/simulate/transport", {"cut_off": 2}, 400),
        ("/simulate/transport", {"late_seconds": 10**400}, 400),
        ("/simulate/transport", 5, 400),
        ("/temperature/readings", 5, 400),
    ],
)
def test_invalid_changes_are_errors_in_json_and_change_nothing(
    serve: Serve, freezer: Customer, path: str, document: dict[str, object] | int, status: int
) -> None:
    url, served = serve(freezer)
    answer = post(f"{url}{path}", document)
    assert answer.status == status
    assert answer.json()["detail"]
    assert served.faults == []
    assert served.transport.in_force() == {}
