"""Fixtures: a clock, simulated fleets, and servers for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from simulator.base.clock import SetClock
from simulator.base.instants import microseconds_of
from simulator.model.fleet import Customer, Facility, Unit
from simulator.model.fleet_file import load_fleet
from simulator.model.simulation import Simulation
from simulator.server.run import served_in_thread
from simulator.tests.serving import Serve

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_US = microseconds_of(NOON)


@pytest.fixture
def clock() -> SetClock:
    """Return a clock set to noon."""
    return SetClock(NOON)


@pytest.fixture
def simulation(clock: SetClock) -> Simulation:
    """Return the default fleet at noon."""
    return Simulation(load_fleet("default"), seed=7, clock=clock)


@pytest.fixture
def freezer() -> Customer:
    """Return a customer with one freezer, read every minute, whose sensor always measures."""
    unit = Unit("unit_Z_1_1", "Freezer 1", -20.0, "C", 200, "sqm", 60)
    facility = Facility("facility_Z_1", "Store 1", "Leeds", "England", (unit,))
    return Customer("Z", "Customer Z", None, "api", 60, (facility,))


@pytest.fixture
def serve(clock: SetClock) -> Iterator[Serve]:
    """Return a function that serves a customer with changed settings and returns the URL and the simulation."""
    starting = Serve(clock)
    yield starting
    starting.closing()


@pytest.fixture
def served_fleet(simulation: Simulation) -> Iterator[dict[str, str]]:
    """Serve the default fleet, each customer on its own port; return the URLs by customer code."""
    with served_in_thread(simulation) as urls:
        yield urls
