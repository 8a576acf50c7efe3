"""A preview shows how a body is understood, and what would become of its rows."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest
from pytest_django import Settings

from customers.models import Customer, Facility, Sensor, StorageUnit
from ingestion.loading.load import LoadRequest, load
from ingestion.models import Delivery, IngestionType, RejectedRow
from ingestion.parsing.parse import parse_body
from ingestion.parsing.rejection_reasons import MESSAGES, Reason
from ingestion.previews.preview import PreviewRequest, preview
from ingestion.previews.results import Preview, settings_in
from ingestion.sources.mapping import FieldMapping
from readings.models import Reading
from readings.storage.archive.archiving import archive_month
from tests.factories import CustomerFactory, FacilityFactory, SensorFactory, StorageUnitFactory, store_reading

pytestmark = pytest.mark.django_db
RECEIVED_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
# What the source has to send, or a person in this system to decide: no setting of the source helps.
WITHOUT_SETTING = {
    Reason.OTHER_CUSTOMER, Reason.RETIRED_SENSOR, Reason.CLOCK_RESET, Reason.AMBIGUOUS_HOUR, Reason.NOT_FINITE,
    Reason.WRONG_NUMBER_OF_COLUMNS, Reason.CUT_OFF, Reason.UNKNOWN_FIELD, Reason.HTML_INSTEAD_OF_DATA,
    Reason.INVALID_JSON, Reason.DECIMAL_COMMA, Reason.UNSUPPORTED_FILE, Reason.ERROR_IN_RESPONSE,
    Reason.INCOMPLETE_PAGES, Reason.TOO_LARGE, Reason.CODE_TOO_LONG, Reason.STATUS_TOO_LONG,
    Reason.TOO_MANY_STATUSES, Reason.BAD_QUALITY, Reason.UNKNOWN_FACILITY,
}  # fmt: skip


def preview_of(text: str, customer: Customer, file_name: str = "fridge.csv", **mapping: object) -> Preview:
    request = PreviewRequest(
        customer=customer,
        mapping=FieldMapping(**mapping),  # type: ignore[arg-type]  # checked by the mapping
        file_name=file_name,
        received_at=RECEIVED_AT,
    )
    return preview(io.BytesIO(text.encode()), request)


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


def test_the_first_a_middle_and_the_last_row_are_shown_as_understood(customer: Customer) -> None:
    facility = FacilityFactory(customer=customer, time_zone="Europe/Madrid")
    StorageUnitFactory(facility=facility, unit_code="fridge")
    rows = "".join(f"2026-11-23 0{hour}:00,{40 + hour},55\n" for hour in range(5))

    result = preview_of(f'Time,"Temp, °F",RH\n{rows}', customer)

    shown = [(row.position, row.row_number, row.unit_code, row.recorded_at.hour, row.sent_text) for row in result.rows]
    assert shown == [
        ("first", 2, "fridge", 0, "40.0\N{NO-BREAK SPACE}°F"),
        ("middle", 4, "fridge", 2, "42.0\N{NO-BREAK SPACE}°F"),
        ("last", 6, "fridge", 4, "44.0\N{NO-BREAK SPACE}°F"),
    ]
    middle = result.rows[1]
    assert (middle.celsius_text, middle.scale_reason) == (
        "5.555556\N{NO-BREAK SPACE}°C",
        'given by the title "Temp, °F"',
    )
    assert f"{middle.local_time:%H:%M %Z}" == "03:00 CET"
    assert result.ignored_columns == ["RH"]


def test_every_outcome_is_counted_with_an_example_and_the_setting_that_fixes_it(customer: Customer) -> None:
    sensor = SensorFactory(storage_unit__facility__customer=customer, storage_unit__unit_code="fridge", sensor_code="")
    for hour in (8, 9):
        store_reading(sensor.storage_unit, 4.0, datetime(2026, 11, 23, hour, tzinfo=UTC), sensor=sensor)
    text = """time,temp
2026-11-23 08:00,4.0
2026-11-23 09:00,7.5
2026-11-23 10:00,4.5
2026-11-23 10:00,4.5
2026-11-23 11:00,85
05/11/2026 11:00,4.5
"""

    result = preview_of(text, customer)

    assert [(each.kind, each.count, each.row_number, each.example) for each in result.outcomes] == [
        ("stored", 2, 4, "2026-11-23 10:00,4.5"),
        ("duplicate", 2, 2, "2026-11-23 08:00,4.0"),
        ("conflicting", 1, 3, "2026-11-23 09:00,7.5"),
        ("rejected", 1, 7, "05/11/2026 11:00,4.5"),
    ]
    assert result.outcomes[-1].settings == ("time_format",)
    assert {name for note in result.notes for name in settings_in(note)} >= {"scale", "error_values"}


def test_archived_readings_are_known(customer: Customer, settings: Settings, tmp_path: Path) -> None:
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"archive": folder}
    sensor = SensorFactory(storage_unit__facility__customer=customer, storage_unit__unit_code="fridge", sensor_code="")
    for hour in (8, 9):
        store_reading(sensor.storage_unit, 4.0, datetime(2024, 3, 10, hour, tzinfo=UTC), sensor=sensor)
    archive_month(date(2024, 3, 1))

    result = preview_of("time,temp\n2024-03-10 08:00,4.0\n2024-03-10 09:00,7.5\n2024-03-10 10:00,4.0\n", customer)

    assert (result.stored, result.duplicates, result.conflicting) == (1, 1, 1)
    assert not Reading.objects.exists()


@pytest.mark.parametrize("batch_rows", [2, 50_000])
def test_rows_of_one_time_with_other_temperatures_are_conflicts_as_when_they_are_loaded(
    customer: Customer, batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of two probes that no column tells apart loses one of them: a preview must not call that duplicates."""
    lines = ["08:00,4.0", "08:00,7.5", "08:00,4.0", "09:00,", "09:00,5", "09:00,", "10:00,4.0"]
    text = "\n".join(["time,temp", *(f"2026-11-23 {line}" for line in lines), ""])
    small = partial(parse_body, batch_rows=batch_rows)
    monkeypatch.setattr("ingestion.previews.preview.parse_body", small)

    result = preview_of(text, customer)

    batches = list(small(io.BytesIO(text.encode()), FieldMapping(), file_name="fridge.csv", received_at=RECEIVED_AT))
    load_request = LoadRequest(customer=customer, ingestion_type=IngestionType.IMPORT, received_at=RECEIVED_AT)
    loaded = load(load_request, batches).delivery
    counts = (loaded.records_stored, loaded.records_duplicate, loaded.records_conflicting)
    assert (result.stored, result.duplicates, result.conflicting) == counts == (3, 2, 2)


def test_nothing_is_stored_or_registered(customer: Customer) -> None:
    result = preview_of("time,unit_id,temp\n2026-11-23 08:00,new,4.0\n,new,4.0\n", customer)

    assert (result.stored, result.new_unit_codes) == (1, ["new"])
    stored = [model.objects.count() for model in (Facility, StorageUnit, Sensor, Reading, Delivery, RejectedRow)]
    assert stored == [0] * 6


def test_columns_are_listed_even_if_no_header_is_recognised(customer: Customer) -> None:
    result = preview_of("1\t2026-06-07 13:53\t25.0\n2\t2026-06-07 13:54\t25.1\n", customer)

    assert result.error_reason == "no_header"
    assert [(column.name, column.samples[0]) for column in result.head.columns] == [
        ("#1", "1"),
        ("#2", "2026-06-07 13:53"),
        ("#3", "25.0"),
    ]


def test_members_of_json_rows_are_columns_by_their_paths(customer: Customer) -> None:
    text = '{"entries": [{"at": "2026-11-23T08:00:00Z", "dev": {"id": "f1", "t": 41.0, "u": "F"}, "rssi": -70}]}'
    settings = {"time_field": "at", "unit_field": "dev.id", "temperature_field": "dev.t", "scale_field": "dev.u"}

    unmapped = preview_of(text, customer, "body.json", readings_path="entries")
    result = preview_of(text, customer, "body.json", readings_path="entries", **settings)

    assert [column.name for column in unmapped.head.columns] == ["at", "dev.id", "dev.t", "dev.u", "rssi"]
    assert [column.field for column in result.head.columns] == ["time", "unit", "temperature", "scale", ""]
    [row] = result.rows
    assert (row.unit_code, row.temperature_c, row.scale_reason) == ("f1", 5.0, 'given by "dev.u"')


@pytest.mark.parametrize("reason", sorted(set(MESSAGES) - WITHOUT_SETTING))
def test_messages_name_the_setting_that_helps(reason: Reason) -> None:
    assert settings_in(MESSAGES[reason])


def test_rows_of_years_ago_are_told_or_shown_as_waiting_for_review(customer: Customer) -> None:
    told = preview_of("time,temperature\n2018-06-04T10:00:00,4.5\n", customer)
    waiting = preview_of("time,temperature\n2018-01-01T00:00:00,4.5\n", customer)

    assert told.notes[-1].startswith("All rows are more than two years old, the newest from 2018-06-04.")
    assert [(outcome.kind, outcome.reason) for outcome in told.outcomes] == [("stored", "")]
    assert [(outcome.kind, outcome.reason) for outcome in waiting.outcomes] == [("rejected", "clock_reset")]
