"""Dry runs of the commands show how files and responses are understood, and store nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from customers.models import Customer, StorageUnit
from ingestion.models import Delivery, RejectedRow
from ingestion.parsing.tests.parsing import csv_body, csv_row, json_body, json_row
from ingestion.polling.tests.polling import ServedSource, json_answer
from readings.models import LatestReading, Reading
from tests.factories import CustomerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

TIMES = [f"2026-11-23T10:0{minute}:00" for minute in range(3)]


def run(*arguments: str | Path) -> str:
    output = io.StringIO()
    call_command(*map(str, arguments), stdout=output, stderr=io.StringIO())
    return output.getvalue()


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "november.csv"
    path.write_text(csv_body(*[csv_row(timestamp=time) for time in TIMES]))
    return path


def test_a_dry_run_reports_the_outcome_and_stores_nothing(customer: Customer, file: Path, tmp_path: Path) -> None:
    run("import_readings", "A", file)
    other = tmp_path / "december.csv"
    other.write_text(
        csv_body(
            csv_row(timestamp=TIMES[0]),
            csv_row(timestamp=TIMES[1], temperature="-12.5"),
            csv_row(timestamp="2026-11-23T11:00:00"),
            csv_row(temperature="warm"),
            csv_row(timestamp="", unit_id="unit_A_9_9"),
        )
    )

    output = run("import_readings", "A", other, "--dry-run")

    first, *lines = output.splitlines()
    assert first == f"{other}: dry run, nothing stored: 1 stored, 1 duplicate, 1 conflicting, 2 rejected, 0 notes."
    assert lines[0].startswith("  first row 2: facility_A_1 / unit_A_1_1 / sensor_1, 2026-11-23 10:00:00 UTC,")
    assert lines[1] == '    scale: given by the column "temperature_unit"'
    assert lines[-6:] == [
        "  rejected: 1 (Not a number)",
        f"    row 5: {csv_row(temperature='warm')}",
        '    The temperature "warm" is not a number. If it means that nothing was measured,'
        " add it to the null values. [null_values]",
        "  rejected: 1 (No time)",
        f"    row 6: {csv_row(timestamp='', unit_id='unit_A_9_9')}",
        "    The row has no time. Set the time field. [time_field]",
    ]
    assert (Reading.objects.count(), Delivery.objects.count(), RejectedRow.objects.count()) == (3, 1, 0)


def test_a_dry_run_registers_nothing(customer: Customer, file: Path) -> None:
    run("import_readings", "A", file, "--dry-run")
    assert (StorageUnit.objects.count(), Reading.objects.count(), LatestReading.objects.count()) == (0, 0, 0)


def test_a_dry_run_of_a_poll_stores_nothing(source_of: Callable[..., ServedSource], customer: Customer) -> None:
    source = source_of(json_answer(json_body(json_row())), customer=customer, name="freezers")

    lines = run("poll", "A", "--dry-run").splitlines()

    assert lines[0] == "freezers: dry run, nothing stored: 1 stored, 0 duplicate, 0 conflicting, 0 rejected, 0 notes."
    assert lines[2] == '    scale: given by "temperature_unit"'
    source.refresh_from_db()
    assert (Reading.objects.count(), Delivery.objects.count(), source.last_polled_at) == (0, 0, None)
