"""The status that the command prints, as text and as JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from customers.models import Customer
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.tests.commands import run
from readings.models import HourlyRollup
from tests.factories import (
    CustomerFactory,
    RejectedRowFactory,
    SourceFactory,
    StorageUnitFactory,
    store_readings,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

HOUR = timedelta(hours=1)


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A")


@pytest.fixture
def machine_status(customer: Customer) -> dict[str, Any]:
    """Return the status output for a failing source and for one with file imports."""
    unit = StorageUnitFactory(facility__customer=customer, unit_code="freezer")
    store_readings(unit, [-20.0, None], start=NOON - HOUR)
    source = SourceFactory(
        customer=customer,
        name="api",
        interval_seconds=300,
        next_due_at=NOON + timedelta(seconds=90),
        last_success_at=NOON - HOUR,
        cursor_at=NOON - HOUR,
        failures_in_a_row=2,
        last_error="The server answered with status 500.",
    )
    RejectedRowFactory(delivery__source=source, delivery__started_at=NOON - HOUR)
    SourceFactory(customer=customer, name="by hand", url="", created_at=NOON)

    output, _ = run("status", "--json")
    reported: dict[str, Any] = json.loads(output)
    return reported


def test_the_json_status_counts_tables_and_waiting_rows(machine_status: dict[str, Any]) -> None:
    assert machine_status["now"] == "2026-11-23T12:00:00+00:00"
    assert machine_status["counts"] == {
        "customer": 1,
        "facility": 1,
        "storage_unit": 1,
        "sensor": 1,
        "source": 2,
        "delivery": 1,
        "rejected_row": 1,
        "reading_conflict": 0,
        "latest_reading": 1,
        "reading": 2,
        "hourly_rollup": HourlyRollup.objects.count(),
        "daily_rollup": 1,
        "rejected_row_waiting": 1,
        "reading_conflict_waiting": 0,
    }


def test_the_json_status_has_the_newest_readings_and_deliveries(machine_status: dict[str, Any]) -> None:
    assert machine_status["newest_readings"] == [
        {
            "customer": "A",
            "unit": "freezer",
            "recorded_at": "2026-11-23T11:15:00+00:00",
            "temperature_c": None,
        }
    ]
    assert machine_status["newest_deliveries"] == [
        {
            "customer": "A",
            "source": "api",
            "started_at": "2026-11-23T11:00:00+00:00",
            "status": "partial",
            "stored": 2,
            "duplicate": 0,
            "conflicting": 0,
            "rejected": 1,
            "error_message": "",
        }
    ]


def test_the_json_status_has_the_state_of_each_source(machine_status: dict[str, Any]) -> None:
    assert machine_status.keys() == {"now", "counts", "newest_readings", "newest_deliveries", "sources"}
    assert machine_status["sources"] == [
        {
            "customer": "A",
            "source": "api",
            "is_paused": False,
            "is_late": True,
            "failures_in_a_row": 2,
            "last_success_at": "2026-11-23T11:00:00+00:00",
            "next_due_at": "2026-11-23T12:01:30+00:00",
            "lag_seconds": 3600.0,
            "last_error": "The server answered with status 500.",
        },
        {
            "customer": "A",
            "source": "by hand",
            "is_paused": False,
            "is_late": False,
            "failures_in_a_row": 0,
            "last_success_at": None,
            "next_due_at": None,
            "lag_seconds": None,
            "last_error": "",
        },
    ]


def test_the_text_status(customer: Customer) -> None:
    store_readings(StorageUnitFactory(facility__customer=customer, unit_code="freezer"), [-20.0], start=NOON)
    SourceFactory(customer=customer, name="api", cursor_at=NOON - HOUR, created_at=NOON, is_paused=True)
    lines = [line.split() for line in run("status")[0].splitlines()]
    assert ["reading", "1"] in lines
    assert ["A", "freezer", "2026-11-23T12:00:00+00:00", "-20.0"] in lines
    assert ["A", "api", "paused", "3,600", "s", "0"] in [line[:6] for line in lines]


def test_the_status_of_an_empty_system() -> None:
    output, _ = run("status")
    assert output.count("  none\n") == 3
