"""Stored fleets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from django.db import transaction
from pytest_django import DjangoDbBlocker

from alarms.evaluation.reevaluation import run_reevaluations
from readings.storage.rebuilds import run_requested_rebuilds
from readings.storage.rollups import refresh
from tests.recomputation.fleets import PERIODS, Fleet, make_fleet, push, retire_sensors

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a module's tests of one fleet in one pytest-xdist worker, so that it is stored once."""
    for item in items:
        if isinstance(item, pytest.Function) and HERE in item.path.parents and hasattr(item, "callspec"):
            number = item.callspec.params["stored_fleet"]
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem} of fleet {number}"))


@pytest.fixture(scope="module", params=range(len(PERIODS)))
def stored_fleet(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Fleet]:
    """Store the readings of a fleet, for all tests of the module: each of them changes a savepoint of its own."""
    with django_db_blocker.unblock(), transaction.atomic():
        fleet = make_fleet(request.param)
        with time_machine.travel(fleet.now, tick=False):
            push(fleet, request.param)
            assert retire_sensors(fleet, request.param) > 1
            run_reevaluations(fleet.now)
            run_requested_rebuilds()
        yield fleet
        transaction.set_rollback(True)


@pytest.fixture
def fleet(stored_fleet: Fleet, db: None) -> Iterator[Fleet]:
    """Return the fleet; the time is its `now`."""
    with time_machine.travel(stored_fleet.now, tick=False):
        yield stored_fleet


@pytest.fixture(params=[False, True], ids=["stale", "refreshed"])
def is_refreshed(request: pytest.FixtureRequest, fleet: Fleet) -> bool:
    """Refresh the roll-ups, or leave them stale."""
    if request.param:
        refresh()
    return bool(request.param)
