"""Units that report late, in bundles or on several pages: database and ledger agree nevertheless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import Settings
from time_machine import Traveller

from ingestion.models import Source
from ingestion.polling.tests.polling import polled
from readings.models import Reading
from simulator.base.clock import SetClock
from simulator.model.fleet import Fleet
from simulator.model.fleet_file import load_fleet
from simulator.model.simulation import Simulation
from simulator.model.transport import TransportSettings
from simulator.server.run import served_in_thread
from tests.factories import SourceFactory
from tests.whole_system.test_simulated_customers import accounts, due

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATE_UNIT = "unit_A_1_1"


@pytest.fixture(autouse=True)
def noon(settings: Settings) -> Iterator[Traveller]:
    """Freeze time at noon and return the clock that a test advances."""
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def simulated(transport: TransportSettings, **changes: Any) -> Simulation:
    """Return customer A with its first three units, read every few minutes, and these manners."""
    (customer,) = load_fleet("default").only(["A"]).customers
    facility = replace(customer.facilities[0], units=customer.facilities[0].units[:3])
    customer = replace(customer, facilities=(facility,), transport=transport, **changes)
    return Simulation(Fleet((customer,)), seed=7, clock=SetClock(NOON))


def poll_for(hours: float, source: Source, simulation: Simulation, clock: Traveller, every: timedelta) -> None:
    """Let time pass, polling the source at intervals."""
    assert isinstance(simulation.clock, SetClock)
    for _ in range(round(timedelta(hours=hours) / every)):
        simulation.clock.advance(minutes=every / timedelta(minutes=1))
        clock.move_to(simulation.clock.now())
        polled(source)


def assert_complete(simulation: Simulation) -> None:
    """Every reading since noon is stored exactly once."""
    assert accounts(recorded_at__gte=NOON) == due(simulation, "A", NOON)


@pytest.mark.parametrize("envelope", ["readings", "bare"], ids=["next in the body", "next in a header"])
def test_a_unit_that_reports_three_hours_later_loses_no_reading_of_a_paginated_source(
    noon: Traveller, envelope: str
) -> None:
    simulation = simulated(TransportSettings(late_units=0.1), page_rows=20, envelope=envelope)
    with served_in_thread(simulation) as urls:
        source = SourceFactory(url=urls["A"] + "/temperature/current?hours={hours}", first_hours=4)
        polled(source)
        poll_for(4, source, simulation, noon, timedelta(minutes=30))
        late = Reading.objects.filter(storage_unit__unit_code=LATE_UNIT, recorded_at__gte=NOON)
        assert late.exists()
        # When nothing is late any more, what is still missing arrives.
        simulation.customers["A"].transport = TransportSettings()
        poll_for(1, source, simulation, noon, timedelta(minutes=30))
    assert_complete(simulation)


def test_readings_that_arrive_in_a_bundle_a_day_are_stored_once(noon: Traveller) -> None:
    simulation = simulated(TransportSettings(bundle_seconds=86_400))
    with served_in_thread(simulation) as urls:
        source = SourceFactory(url=urls["A"] + "/temperature/current?since={since}&until={until}")
        polled(source)
        poll_for(30, source, simulation, noon, timedelta(hours=3))
        simulation.customers["A"].transport = TransportSettings()
        poll_for(1, source, simulation, noon, timedelta(minutes=30))
    assert_complete(simulation)


def test_a_unit_that_was_silent_for_half_a_day_loses_nothing_while_the_others_go_on(noon: Traveller) -> None:
    simulation = simulated(TransportSettings(late_units=0.1, late_unit_seconds=12 * 3600))
    with served_in_thread(simulation) as urls:
        source = SourceFactory(url=urls["A"] + "/temperature/current?hours={hours}")
        polled(source)
        poll_for(12, source, simulation, noon, timedelta(hours=1))
        simulation.customers["A"].transport = TransportSettings()
        poll_for(1, source, simulation, noon, timedelta(minutes=30))
    assert_complete(simulation)
