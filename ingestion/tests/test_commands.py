"""The commands of ingestion: importing files, polling manually, and the status."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from customers.models import Customer, StorageUnit
from ingestion.models import Delivery, RejectedRow
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import csv_body, csv_row, json_body, json_row
from ingestion.polling.claims import claim_now
from ingestion.polling.tests.polling import ServedSource, csv_answer, json_answer
from ingestion.polling.tests.scripted_server import answer
from readings.models import HourlyRollup, Reading
from tests.factories import (
    CustomerFactory,
    RejectedRowFactory,
    SourceFactory,
    StorageUnitFactory,
    store_readings,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

HOUR = timedelta(hours=1)
TIMES = [f"2026-11-23T10:0{minute}:00" for minute in range(3)]


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A")


def run(*arguments: str | Path, expect_failure: bool = False) -> tuple[str, str]:
    """Run the command; return what it says to its standard output and to its standard error."""
    output, errors = io.StringIO(), io.StringIO()
    if expect_failure:
        with pytest.raises(CommandError) as failure:
            call_command(*map(str, arguments), stdout=output, stderr=errors)
        assert failure.value.returncode == 1
        errors.write(str(failure.value))
    else:
        call_command(*map(str, arguments), stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


# Importing files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three good rows."""
    path = tmp_path / "november.csv"
    path.write_text(csv_body(*[csv_row(timestamp=time) for time in TIMES]))
    return path


def test_a_file_is_imported_as_a_delivery_of_the_customer(customer: Customer, file: Path) -> None:
    output, _ = run("import_readings", "A", file)

    assert output == f"{file}: Success: 3 stored, 0 duplicate, 0 conflicting, 0 rejected in 0.00 s.\n"
    delivery = Delivery.objects.get()
    assert (delivery.customer, delivery.ingestion_type, delivery.source_url) == (customer, "import", "november.csv")
    assert delivery.size_bytes == file.stat().st_size
    assert Reading.objects.filter(storage_unit__facility__customer=customer).count() == 3


def test_importing_a_file_twice_stores_only_duplicates(customer: Customer, file: Path) -> None:
    run("import_readings", "A", file)
    output, _ = run("import_readings", "A", file)
    assert "Success: 0 stored, 3 duplicate, 0 conflicting, 0 rejected" in output
    assert Reading.objects.count() == 3


def test_a_file_without_readings_is_reported_as_such(customer: Customer, tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.write_text(csv_body())

    output, _ = run("import_readings", "A", file)

    assert output == f"{file}: Success: no readings received.\n"


def test_one_invalid_file_does_not_stop_the_others_and_sets_the_exit_code(
    customer: Customer, file: Path, tmp_path: Path
) -> None:
    page, missing = tmp_path / "page.csv", tmp_path / "missing.csv"
    page.write_text("<html>Please sign in</html>")

    output, errors = run("import_readings", "A", page, missing, file, expect_failure=True)

    assert f"{page}: Failure (Web page instead of data): The response is a web page" in output
    assert f"{missing}: [Errno 2] No such file or directory" in errors
    assert f"{file}: Success: 3 stored" in output
    assert errors.endswith("2 of 3 files could not be imported.")
    assert Reading.objects.count() == 3
    assert [each.status for each in Delivery.objects.order_by("id")] == ["failure", "success"]


def test_a_file_that_becomes_unreadable_is_rolled_back(customer: Customer, tmp_path: Path) -> None:
    file = tmp_path / "damaged.csv.gz"
    compressed = bytearray(gzip.compress(csv_body(*[csv_row(timestamp=time) for time in TIMES]).encode()))
    compressed[-8] ^= 0xFF  # the checksum
    file.write_bytes(compressed)
    output, _ = run("import_readings", "A", file, expect_failure=True)
    assert "Failure (Decoding failed)" in output
    assert (Reading.objects.count(), StorageUnit.objects.count()) == (0, 0)


def test_rejected_rows_are_not_a_failure(customer: Customer, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(csv_body(*[csv_row(temperature=f"warm {number}") for number in range(8)]))

    output, _ = run("import_readings", "A", file)

    assert output.count("(Not a number)") == 5
    assert output.endswith("  and 3 more rejected rows.\n")
    assert RejectedRow.objects.count() == 8


def test_a_rejected_row_cannot_control_the_terminal(customer: Customer, tmp_path: Path) -> None:
    file = tmp_path / "escape.csv"
    row = csv_row(temperature="\x1b]0;title\x07warm\x9b31m\ttab")
    file.write_text(csv_body(row), encoding="utf-8")

    output, _ = run("import_readings", "A", file)

    harmless = row.replace("\x1b", "�").replace("\x07", "�").replace("\x9b", "�")
    assert f"    {harmless}\n" in output
    assert RejectedRow.objects.get().raw == row


@pytest.mark.parametrize("name", ["readings.csv.gz", "readings.json.gz", "readings.dat"])
def test_a_compressed_file_is_decompressed(customer: Customer, tmp_path: Path, name: str) -> None:
    rows = csv_body(csv_row()) if "json" not in name else json_body(json_row())
    file = tmp_path / name
    file.write_bytes(gzip.compress(rows.encode()))
    run("import_readings", "A", file)
    assert Reading.objects.get().temperature_c == -74.31


LOGGER_EXPORT = """Device: TL-200\nSerial: 00417\nInterval: 15 min

No.,Date/Time,Temperature(°C),Humidity(%RH),Alarm
1,23/11/2026 10:11,4.5,61,
2,23/11/2026 10:26,4.75,60,H
"""


def test_a_data_loggers_export_belongs_to_the_unit_in_its_file_name(customer: Customer, tmp_path: Path) -> None:
    SourceFactory(customer=customer, name="loggers", url="", skip_until_header=True, default_facility_code="shop")
    file = tmp_path / "Cold Room 3.csv"
    file.write_text(LOGGER_EXPORT)

    run("import_readings", "A", file, "--source", "loggers")

    unit = StorageUnit.objects.get()
    assert (unit.unit_code, unit.facility.facility_code) == ("Cold Room 3", "shop")
    readings = Reading.objects.order_by("recorded_at").values_list("recorded_at", "temperature_c")
    assert list(readings) == [
        (datetime(2026, 11, 23, 10, 11, tzinfo=UTC), 4.5),
        (datetime(2026, 11, 23, 10, 26, tzinfo=UTC), 4.75),
    ]


def test_the_unit_of_a_data_loggers_export_can_be_specified(customer: Customer, tmp_path: Path) -> None:
    SourceFactory(customer=customer, name="loggers", url="", skip_until_header=True)
    file = tmp_path / "export(17).csv"
    file.write_text(LOGGER_EXPORT)
    run("import_readings", "A", file, "--source", "loggers", "--unit", "Cold Room 3")
    assert StorageUnit.objects.get().unit_code == "Cold Room 3"


def test_the_file_name_is_not_the_unit_of_a_json_row(customer: Customer, tmp_path: Path) -> None:
    row = {name: value for name, value in json_row().items() if name != "unit_id"}
    file = tmp_path / "backup.json"
    file.write_text(json_body(row, json_row()))
    run("import_readings", "A", file)
    assert RejectedRow.objects.get().reason == "no_unit"
    assert StorageUnit.objects.get().unit_code == "unit_A_1_1"


def test_a_file_may_have_a_longer_name_than_any_unit(customer: Customer, tmp_path: Path) -> None:
    file = tmp_path / f"{'x' * 200}.csv"
    file.write_text(csv_body(csv_row(), csv_row(temperature="warm")))
    output, _ = run("import_readings", "A", file)
    assert "1 stored, 0 duplicate, 0 conflicting, 1 rejected" in output


def test_progress_goes_to_standard_error(customer: Customer, file: Path) -> None:
    output, errors = run("import_readings", "A", file)
    assert "november.csv: 100%" in errors
    assert "%" not in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Z", "x.csv"], "No customer Z"),
        (["A", "x.csv", "--source", "loggers"], "A has no source “loggers”"),
    ],
)
def test_unknown_customers_and_sources_are_reported_before_any_file_is_read(
    customer: Customer, arguments: list[str], words: str
) -> None:
    assert words in run("import_readings", *arguments, expect_failure=True)[1]


# Polling by hand


def test_polling_manually_prints_the_outcome(source_of: Callable[..., ServedSource], customer: Customer) -> None:
    source_of(json_answer(json_body(json_row())), customer=customer, name="freezers")
    output, _ = run("poll", "A")
    assert output == "freezers: Success: 1 stored, 0 duplicate, 0 conflicting, 0 rejected in 0.00 s.\n"


def test_polling_manually_polls_all_sources_and_fails_if_one_does(
    source_of: Callable[..., ServedSource], customer: Customer
) -> None:
    source_of(answer(status="404 Not Found"), customer=customer, name="broken")
    source_of(csv_answer(csv_body(csv_row())), customer=customer, name="working")
    SourceFactory(customer=customer, name="by hand", url="")
    SourceFactory(name="of others")

    output, errors = run("poll", "A", expect_failure=True)

    assert output.splitlines() == [
        "broken: Failure (HTTP error): The server answered with status 404.",
        "working: Success: 1 stored, 0 duplicate, 0 conflicting, 0 rejected in 0.00 s.",
    ]
    assert errors == "Failed: broken."


def test_one_source_can_be_polled_by_its_name(source_of: Callable[..., ServedSource], customer: Customer) -> None:
    polled = source_of(json_answer(json_body()), customer=customer, name="this")
    other = source_of(json_answer(json_body()), customer=customer, name="that")
    run("poll", "A", "--source", "this")
    assert (len(polled.server.heads), len(other.server.heads)) == (1, 0)


def test_a_source_that_is_being_polled_is_skipped(source_of: Callable[..., ServedSource], customer: Customer) -> None:
    source = source_of(json_answer(json_body()), customer=customer, name="busy")
    claim_now(source)
    _, errors = run("poll", "A", expect_failure=True)
    assert "is being polled. Try again when that poll has finished." in errors
    assert source.server.heads == []


def test_a_missing_source_is_reported(customer: Customer) -> None:
    assert "Customer A has no such polled source" in run("poll", "A", expect_failure=True)[1]


# How the system is doing


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
