"""The commands of ingestion: importing files and polling manually."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.leases import Claim
from customers.models import Customer, StorageUnit
from ingestion.models import Delivery, RejectedRow
from ingestion.parsing.tests.parsing import csv_body, csv_row, json_body, json_row
from ingestion.polling.claims import claim_now
from ingestion.polling.poll import poll
from ingestion.polling.tests.polling import ServedSource, csv_answer, json_answer
from ingestion.polling.tests.scripted_server import answer
from ingestion.tests.commands import run
from readings.models import Reading
from tests.factories import (
    CustomerFactory,
    SourceFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

HOUR = timedelta(hours=1)
TIMES = [f"2026-11-23T10:0{minute}:00" for minute in range(3)]


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A")


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


def test_an_internal_error_does_not_keep_other_sources_from_being_polled(
    source_of: Callable[..., ServedSource], customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source_of(json_answer(json_body()), customer=customer, name="broken")
    other = source_of(json_answer(json_body()), customer=customer, name="other")

    def poll_unless_broken(claim: Claim) -> list[Delivery]:
        if claim.row_id != other.pk:
            raise ZeroDivisionError
        return poll(claim)

    monkeypatch.setattr("ingestion.management.commands.poll.poll", poll_unless_broken)
    output, errors = run("poll", "A", expect_failure=True)

    assert output.startswith("other: Success")
    assert "broken: ZeroDivisionError in this system. See the log for details.\n" in errors
    assert "Failed: broken." in errors


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
