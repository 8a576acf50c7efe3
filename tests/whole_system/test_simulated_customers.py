"""Simulated customers, polled without being told how to read what they send: database and ledger agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db.models import Min
from pytest_django import Settings
from time_machine import Traveller

from customers.models import StorageUnit
from ingestion.models import RejectedRow
from ingestion.polling.tests.polling import counts, polled, polled_once
from readings.models import Reading
from readings.units.scales import from_celsius
from simulator.base.clock import SetClock
from simulator.base.instants import microseconds_of
from simulator.model.fleet import CsvDialect, Fleet
from simulator.model.fleet_file import load_fleet
from simulator.model.simulation import Simulation
from simulator.server.run import served_in_thread
from temperature_site.dev import demo
from tests.factories import SourceFactory
from tests.responses import Json

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def noon(settings: Settings) -> Iterator[Traveller]:
    """Freeze time at noon and return the clock that a test advances."""
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


# Takes the name of a fleet, the codes of its customers and what differs in them; returns what serves them and where.
Simulate = Callable[..., tuple[Simulation, dict[str, str]]]


@pytest.fixture
def simulate() -> Iterator[Simulate]:
    """Serve customers of a shipped fleet, some of their manners changed: their simulation and URLs by code."""
    with ExitStack() as running:

        def serve(
            fleet: str = "default", codes: tuple[str, ...] = ("A",), **changes: Any
        ) -> tuple[Simulation, dict[str, str]]:
            chosen = tuple(replace(each, **changes) for each in load_fleet(fleet).customers if each.code in codes)
            simulation = Simulation(Fleet(chosen), seed=7, clock=SetClock(NOON))
            return simulation, running.enter_context(served_in_thread(simulation))

        yield serve


def accounts(**filters: object) -> Json:
    """Count, nulls, sum in thousandths on the scale sent, first and last of each unit's stored readings."""
    found: dict[str, list[Reading]] = {}
    for reading in Reading.objects.filter(**filters).select_related("storage_unit"):
        found.setdefault(reading.storage_unit.unit_code, []).append(reading)
    return {
        code: {
            "count": len(readings),
            "nulls": sum(each.temperature_c is None for each in readings),
            "sum_thousandths": sum(
                round(1000 * from_celsius(each.temperature_c, each.scale))
                for each in readings
                if each.temperature_c is not None
            ),
            "first": min(each.recorded_at for each in readings).isoformat(),
            "last": max(each.recorded_at for each in readings).isoformat(),
        }
        for code, readings in found.items()
    }


def due(simulation: Simulation, code: str, since: datetime) -> Json:
    """Return the values in the form of the simulator's ledger."""
    units: Json = simulation.customers[code].ledger(microseconds_of(since), None)["units"]
    told = ("count", "nulls", "sum_thousandths", "first", "last")
    return {unit: {name: entry[name] for name in told} for unit, entry in units.items() if entry["count"]}


def test_the_demos_customers_are_the_simulators() -> None:
    told = [(each.code, each.name, each.method, demo.SECONDS[each.method]) for each in demo.CUSTOMERS]
    fleet = load_fleet("default").customers
    assert told == [(each.code, each.name, each.data_sharing_method, each.poll_seconds) for each in fleet]


def test_the_structure_is_read_first_so_that_units_are_known_as_the_customer_knows_them(simulate: Simulate) -> None:
    _, urls = simulate()
    url = urls["A"]
    source = SourceFactory(
        url=url + "/temperature/current?hours={hours}",
        structure_url=f"{url}/facilities",
        facility_time_zone="Europe/London",
    )

    polled(source)

    unit = StorageUnit.objects.get(unit_code="unit_A_1_1")
    assert (unit.name, unit.set_temperature, unit.temperature_unit) == ("Ultra-Low Freezer 1", -74.2, "C")
    assert (unit.size_value, unit.size_unit, unit.interval_seconds) == (328.0, "sqm", 229)
    assert (unit.facility.name, unit.facility.city) == ("Pharma Facility 1", "Oxford")
    assert unit.facility.time_zone == "Europe/London"
    assert StorageUnit.objects.count() == 9
    assert source.structure_read_at == NOON


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("A", "/temperature/current?hours={hours}"),
        ("A", "/temperature/current?since={since}&until={until}"),
        ("B", "/data/download.csv?hours={hours}"),
        ("E", "/data/download.csv?since={since}&until={until}"),
        ("C", "/temperature/historical?hours={hours}&limit=10000"),
    ],
    ids=["JSON", "JSON since and until", "CSV", "CSV since and until", "history"],
)
def test_a_shape_is_loaded_completely_without_any_mapping(simulate: Simulate, code: str, path: str) -> None:
    simulation, urls = simulate(codes=(code,))
    source = SourceFactory(url=urls[code] + path, first_hours=6)

    delivery = polled_once(source)

    since = Reading.objects.aggregate(Min("recorded_at"))["recorded_at__min"]
    assert NOON - 6.1 * HOUR <= since < NOON - 5 * HOUR
    assert accounts() == due(simulation, code, since)
    assert (delivery.status, delivery.records_duplicate) == ("success", 0)


@pytest.mark.parametrize(
    ("path", "manner"),
    [
        *[("/temperature/current", {"envelope": name}) for name in ("data", "items", "results", "bare")],
        ("/temperature/current", {"sends_equipment_status": True}),
        ("/temperature/current", {"timestamps": "space"}),
        ("/data/download.csv", {"csv_form": "older"}),
        ("/data/download.csv", {"timestamps": "space"}),
        ("/data/download.csv", {"csv_dialect": CsvDialect(encoding="utf-8-sig", line_end="\r\n")}),
        ("/data/download.csv", {"csv_dialect": CsvDialect(delimiter=";", decimal=",", encoding="latin-1")}),
        ("/data/download.csv", {"csv_dialect": CsvDialect(gzip=True)}),
        ("/data/download.csv", {"csv_dialect": CsvDialect(trailer="blank")}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_variations_of_format_make_no_difference(simulate: Simulate, path: str, manner: dict[str, Any]) -> None:
    simulation, urls = simulate(codes=("E",), **manner)
    source = SourceFactory(url=urls["E"] + path + "?since=2026-11-23T06:00:00", structure_url=urls["E"] + "/facilities")

    assert polled_once(source).status == "success"

    since = Reading.objects.aggregate(Min("recorded_at"))["recorded_at__min"]
    assert since - (NOON - 6 * HOUR) < HOUR
    if manner.get("timestamps") == "space":
        # What is not sent can't arrive: the ledger's instants are of microseconds, these are of whole seconds.
        assert sums(accounts()) == sums(due(simulation, "E", since))
    else:
        assert accounts() == due(simulation, "E", since)


def sums(accounts: Json) -> Json:
    return {
        unit: [account[name] for name in ("count", "nulls", "sum_thousandths")] for unit, account in accounts.items()
    }


def test_a_summary_line_is_rejected_and_the_readings_above_it_are_stored(simulate: Simulate) -> None:
    _, urls = simulate(codes=("E",), csv_dialect=CsvDialect(trailer="summary"))
    source = SourceFactory(url=urls["E"] + "/data/download.csv?hours=6")
    assert polled_once(source).status == "partial"
    rejected = RejectedRow.objects.get()
    assert (rejected.raw, rejected.reason) == (f"Rows: {Reading.objects.count()}", "wrong_number_of_columns")


def test_no_content_is_a_success_without_rows(simulate: Simulate) -> None:
    _, urls = simulate(codes=("B",))
    source = SourceFactory(url=urls["B"] + "/data/download.csv?hours=0.001")
    delivery = polled_once(source)
    assert (delivery.status, counts(delivery)) == ("success", (0, 0, 0, 0))


def test_units_requested_one_by_one_are_stored_at_the_time_of_the_response(simulate: Simulate) -> None:
    simulation, urls = simulate("assignment", codes=("B",))
    source = SourceFactory(
        url=urls["B"] + "/temperature/unit/{unit}", unit_codes=["Deep Freeze 1", "Chilled Room 1", "Chilled Room 2"]
    )

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("success", (3, 0, 0, 0))
    for reading in Reading.objects.select_related("storage_unit"):
        series = simulation.customers["B"].series(reading.storage_unit.unit_code)
        assert series is not None
        assert reading.temperature_c is not None
        rows = simulation.customers["B"].latest(series)
        assert (reading.recorded_at, reading.scale) == (NOON, "F")
        assert from_celsius(reading.temperature_c, "F") == rows.thousandths[0] / 1000


def test_readings_missed_in_an_outage_arrive_with_the_next_poll(simulate: Simulate, noon: Traveller) -> None:
    simulation, urls = simulate()
    source = SourceFactory(url=urls["A"] + "/temperature/current?hours={hours}", first_hours=1)
    polled(source)
    for hours in (1, 9):
        assert isinstance(simulation.clock, SetClock)
        simulation.clock.advance(hours=hours)
        noon.move_to(simulation.clock.now())
        polled(source)
    assert accounts(recorded_at__gte=NOON - HOUR) == due(simulation, "A", NOON - HOUR)
