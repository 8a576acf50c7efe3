from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulator.base.clock import SetClock
from simulator.base.instants import HOUR, microseconds_of
from simulator.conftest import NOON, NOON_US
from simulator.model.fleet import CsvDialect, Customer, Fleet
from simulator.model.simulation import SimulatedCustomer, Simulation, Window
from simulator.payloads.files import seconds_for_rows, write_csv, write_json, write_loggers
from simulator.payloads.rows import CSV_FIELDS


def served(customer: Customer, now: datetime = NOON, **changes: Any) -> SimulatedCustomer:
    fleet = Fleet((replace(customer, **changes),))
    return Simulation(fleet, seed=7, clock=SetClock(now)).customers[customer.code]


def hours_before_noon(customer: SimulatedCustomer, hours: int) -> Window:
    return customer.window(NOON_US - hours * HOUR, NOON_US)


def test_csv_files_hold_the_rows_of_the_span(freezer: Customer, tmp_path: Path) -> None:
    customer = served(freezer)
    written: list[int] = []
    (path,) = write_csv(customer, hours_before_noon(customer, 2), tmp_path, written.append)
    lines = path.read_text().splitlines()
    assert path.name == "Z.csv"
    assert lines[0] == ",".join(CSV_FIELDS["common"])
    assert len(lines) == 121
    assert sum(written) == 120


def test_csv_files_of_a_customer_that_gzips_are_gzipped(freezer: Customer, tmp_path: Path) -> None:
    customer = served(freezer, csv_dialect=CsvDialect(gzip=True))
    (path,) = write_csv(customer, hours_before_noon(customer, 1), tmp_path, lambda rows: None)
    assert path.name == "Z.csv.gz"
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 61


def test_no_csv_file_is_written_without_rows(freezer: Customer, tmp_path: Path) -> None:
    customer = served(freezer)
    assert write_csv(customer, customer.window(NOON_US, NOON_US), tmp_path, lambda rows: None) == []


def test_json_files_have_the_customers_envelope(freezer: Customer, tmp_path: Path) -> None:
    customer = served(freezer)
    written: list[int] = []
    (path,) = write_json(customer, hours_before_noon(customer, 2), tmp_path, written.append)
    document = json.loads(path.read_text())
    assert document["reading_count"] == len(document["readings"]) == sum(written) == 120


def test_a_span_can_be_found_for_a_number_of_rows(simulation: Simulation) -> None:
    customers = list(simulation.customers.values())
    seconds = seconds_for_rows(customers, 10_000)
    rows = sum(c.row_count(c.all_series, c.window(NOON_US - seconds * 1_000_000, NOON_US)) for c in customers)
    assert rows == pytest.approx(10_000, rel=0.02)


@pytest.mark.parametrize(
    ("time_format", "strptime"),
    [("iso", "%Y-%m-%d %H:%M:%S"), ("european", "%d/%m/%Y %H:%M"), ("american", "%m/%d/%Y %I:%M:%S %p")],
)
def test_logger_files_have_a_preamble_and_local_times(
    freezer: Customer, tmp_path: Path, time_format: str, strptime: str
) -> None:
    customer = served(freezer)
    (path,) = write_loggers(customer, hours_before_noon(customer, 1), tmp_path, lambda rows: None, time_format)
    assert path.relative_to(tmp_path).as_posix() == "loggers/Z/unit_Z_1_1.csv"
    lines = path.read_text().splitlines()
    assert all(": " in line for line in lines[:5])
    assert lines[5] == "Date/Time,Temperature(°C),Humidity(%RH),Alarm"
    assert len(lines) == 66
    for line in lines[6:]:
        when, temperature, humidity, alarm = line.split(",")
        datetime.strptime(when, strptime)  # noqa: DTZ007 - naive as written
        assert float(temperature) == pytest.approx(-20.0, abs=3.0)
        assert 40.0 <= float(humidity) <= 60.0
        assert alarm == ""


def test_logger_files_in_fahrenheit_say_so(freezer: Customer, tmp_path: Path) -> None:
    facility = freezer.facilities[0]
    unit = replace(facility.units[0], temperature_unit="F", set_temperature=0.0)
    customer = served(freezer, facilities=(replace(facility, units=(unit,)),))
    (path,) = write_loggers(customer, hours_before_noon(customer, 1), tmp_path, lambda rows: None, "iso")
    assert path.read_text().splitlines()[5].startswith("Date/Time,Temp °F,")


def test_the_hour_that_comes_twice_is_written_twice(freezer: Customer, tmp_path: Path) -> None:
    """On 25 October 2026 British clocks went back at 01:00 UTC, from 02:00 to 01:00."""
    now = datetime(2026, 10, 25, 2, tzinfo=UTC)
    customer = served(freezer, now)
    now_us = microseconds_of(now)
    window = customer.window(now_us - 2 * HOUR, now_us)
    (path,) = write_loggers(customer, window, tmp_path, lambda rows: None, "iso")
    hours = [line[11:13] for line in path.read_text().splitlines()[6:]]
    assert hours == ["01"] * 120
