"""Files in the shapes of real exports are read exactly, or refused with a message that helps.

What `parse_body` makes of each is compared with the table; `test_customer_files_stored.py` takes them in by every way.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import polars as pl
import pytest
from django.core.management import call_command

from ingestion.models import Delivery
from ingestion.parsing.parse import parse_body, parse_rejected_row
from ingestion.parsing.results import ParsedBatch, UnreadableBody
from ingestion.sources.mapping import FieldMapping
from ingestion.tests.customer_files import FILES, CustomerFile
from readings.models import Reading
from readings.units.scales import from_celsius
from tests.factories import CustomerFactory

INPUTS = Path(__file__).parent / "inputs"
RECEIVED_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Files of which only some rows are listed, because the others are of the same kind.
LISTED_IN_PART = {"c36_zones.csv", "c58_epoch_us_ns.json"}
# Files in which the rows around one show which of two hours is meant.
RESOLVED_BY_OTHER_ROWS = {"c51_dst.csv"}
# Unit, sensor, time, temperature on the scale that was sent, scale.
Row: TypeAlias = tuple[str, str, datetime, float | None, str]


def expected(text: str, stem: str) -> Row:
    """Return a reading as written in the table."""
    name, _, scale = text.rpartition(" ")
    name, _, number = name.rpartition(" ")
    name, _, instant = name.rpartition(" ")
    unit, _, sensor = name.partition("/")
    value = None if number == "none" else float(number)
    return unit or stem, sensor, datetime.fromisoformat(instant).replace(tzinfo=UTC), value, scale


def parsed(case: CustomerFile) -> tuple[str, list[ParsedBatch]]:
    """Return the reason for which a file is refused with its message, and its batches."""
    body = io.BytesIO((INPUTS / case.name).read_bytes())
    mapping = FieldMapping(**case.mapping)
    try:
        return "", list(parse_body(body, mapping, file_name=case.name, received_at=RECEIVED_AT))
    except UnreadableBody as error:
        return f"{error.reason.value}: {error.message}", []


def rows_of(batches: list[ParsedBatch]) -> list[Row]:
    columns = ("unit_code", "sensor_code", "recorded_at", "temperature_c", "scale")
    return [
        (unit, sensor, at, None if celsius is None else round(from_celsius(celsius, scale), 6), scale)
        for batch in batches
        for unit, sensor, at, celsius, scale in batch.readings.select(columns).rows()
    ]


@pytest.mark.parametrize("case", FILES, ids=lambda case: " ".join([case.name, *case.mapping]))
def test_a_customers_file_is_read_exactly_or_refused(case: CustomerFile) -> None:
    failure, batches = parsed(case)

    assert failure.partition(":")[0] == case.fails
    wanted = {expected(text, Path(case.name).stem) for text in case.readings}
    found = rows_of(batches)
    assert set(found) >= wanted if case.name in LISTED_IN_PART else set(found) == wanted
    rejected = [row for batch in batches for row in batch.rejected]
    assert {row.row_number: row.reason.value for row in rejected} == case.reasons
    notes = [note for batch in batches for note in batch.notes]
    said = " ".join([failure, *notes, *(row.message for row in rejected)])
    assert [part for part in case.says if part not in said] == []


@pytest.mark.parametrize(
    "case",
    [case for case in FILES if case.name not in RESOLVED_BY_OTHER_ROWS],
    ids=lambda case: " ".join([case.name, *case.mapping]),
)
def test_every_row_of_a_customers_file_is_read_alike_when_it_is_parsed_again_alone(case: CustomerFile) -> None:
    """A replayed row must come to the unit, sensor, time and scale that its whole file shows."""
    _, batches = parsed(case)
    for batch in batches:
        for number in batch.readings["row_number"].unique():
            again = parse_rejected_row(
                batch.raw_row(number),
                batch.row_context,
                FieldMapping(**case.mapping),
                received_at=RECEIVED_AT,
                row_number=number,
                default_unit="",
            )
            assert again.readings.rows() == batch.readings.filter(pl.col("row_number") == number).rows()


def test_every_file_has_an_expected_result() -> None:
    assert {path.name for path in INPUTS.iterdir()} == {case.name for case in FILES}


@pytest.mark.django_db
@pytest.mark.usefixtures("noon")
def test_the_import_command_stores_a_file_and_prints_how_it_was_understood() -> None:
    CustomerFactory(customer_code="A")
    output = io.StringIO()

    call_command("import_readings", "A", str(INPUTS / "a01_hobo_u23.csv"), stdout=output, stderr=io.StringIO())

    stored = Reading.objects.order_by("recorded_at").values_list("recorded_at", "temperature_c", "scale")
    assert [(at.hour, round(celsius, 4), scale) for at, celsius, scale in stored] == [(9, -0.3111, "F"), (22, 5.0, "F")]
    assert Delivery.objects.get().notes[0] == "Lines before the header: 1."
    assert "  note: Times are read as UTC-08:00, which their title gives.\n" in output.getvalue()
