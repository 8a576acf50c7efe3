from dataclasses import replace
from datetime import UTC, datetime

import pytest

from simulator.base.clock import SetClock
from simulator.base.instants import microseconds_of
from simulator.model.fleet import Customer, Facility, Fleet, Unit
from simulator.model.fleet_file import load_fleet
from simulator.model.simulation import Simulation
from simulator.server.run import served_in_thread

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_US = microseconds_of(NOON)


@pytest.fixture
def clock():
    return SetClock(NOON)


@pytest.fixture
def simulation(clock):
    """The default fleet at noon."""
    return Simulation(load_fleet("default"), seed=7, clock=clock)


@pytest.fixture
def freezer():
    """One customer with one freezer, read every minute, whose sensor always measures."""
    unit = Unit("unit_Z_1_1", "Freezer 1", -20.0, "C", 200, "sqm", 60)
    facility = Facility("facility_Z_1", "Store 1", "Leeds", "England", (unit,))
    return Customer("Z", "Customer Z", None, "api", 60, (facility,))


@pytest.fixture
def serve(clock):
    """Serves a customer with some of its manners changed; gives its URL and what serves it."""
    contexts = []

    def start(customer, **changes):
        changed = Simulation(Fleet((replace(customer, **changes),)), seed=7, clock=clock)
        context = served_in_thread(changed)
        urls = context.__enter__()
        contexts.append(context)
        return urls[customer.code], changed.customers[customer.code]

    def closing():
        while contexts:
            contexts.pop().__exit__(None, None, None)

    start.closing = closing
    yield start
    closing()


@pytest.fixture
def served_fleet(simulation):
    """The default fleet, each customer on a port of its own; gives the URLs by customer code."""
    with served_in_thread(simulation) as urls:
        yield urls
