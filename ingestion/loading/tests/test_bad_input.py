"""Bad input and its outcome: what is in the database after a poll or an import, case by case."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.forms.models import model_to_dict
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from customers.models import Customer, StorageUnit
from ingestion.loading.file_import import import_file
from ingestion.models import Conflict, Delivery, RejectedRow
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import csv_body, csv_row, json_body, json_row
from ingestion.polling.tests.polling import ServedSource, counts, csv_answer, in_turn, json_answer, polled_once
from ingestion.polling.tests.scripted_server import Script, Visit, answer
from ingestion.sources.mapping import FieldMapping
from readings.models import DailyRollup, HourlyRollup, LatestReading, Reading
from readings.storage.rollups import refresh
from readings.units.scales import from_celsius
from tests.factories import CustomerFactory, FacilityFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

GOOD_TIME = "2026-11-23T10:00:00"
GOOD = json_body(json_row(timestamp=GOOD_TIME))


def stored() -> list[float | None]:
    """Return the stored temperatures by time."""
    return list(Reading.objects.order_by("recorded_at").values_list("temperature_c", flat=True))


# A body of which nothing can be used


def say_nothing(visit: Visit) -> None:
    visit.connection.recv(1)  # until the client has gone


UNUSABLE = {
    "timeout": (say_nothing, "timeout", "did not respond in time"),
    "a broken connection": (lambda visit: visit.reset(), "connection_failed", "127.0.0.1"),
    "status 404": (answer(status="404 Not Found"), "http_status", "The server answered with status 404."),
    "status 500": (answer(status="500 Internal Server Error"), "http_status", "The server answered with status 500."),
    "a page instead of JSON": (
        answer(b"<html><h1>Maintenance</h1></html>", headers="Content-Type: text/html\r\n"),
        "html_instead_of_data",
        "The response is a web page, not data. Check the source's address and credentials.",
    ),
    "a page that says it is CSV": (csv_answer("<!DOCTYPE html>\n<p>Sorry"), "html_instead_of_data", "a web page"),
    "more than the limit": (json_answer(json_body(*[json_row()] * 100)), "too_large", "larger than 9,999 bytes"),
    "more than the limit once decompressed": (
        answer(gzip.compress(GOOD.encode() + b" " * 100_000), headers="Content-Encoding: gzip\r\n"),
        "too_large",
        "larger than 9,999 bytes",
    ),
    "invalid JSON": (json_answer('{"readings": [{"temperature": 1.0,, }]}'), "invalid_json", "not valid JSON"),
    "no list": (json_answer('{"status": "ok"}'), "no_readings_list", "contains no list of readings"),
    "no header": (csv_answer("these,are,no\ncolumns,of,ours\n"), "no_header", "No header line was found"),
}


@pytest.mark.parametrize(("script", "reason", "words"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_delivery_fails_with_its_reason_and_affects_nothing_else(
    source_of: Callable[..., ServedSource], settings: Settings, script: Script, reason: str, words: str
) -> None:
    settings.SOURCE_MAX_BYTES = 9_999
    settings.SOURCE_READ_SECONDS = 0.3
    source = source_of(in_turn(json_answer(GOOD), script, json_answer(GOOD)))
    polled_once(source)
    before = (source.cursor_at, stored(), model_to_dict(LatestReading.objects.get()))

    delivery = polled_once(source)

    assert (delivery.status, delivery.error_reason, counts(delivery)) == ("failure", reason, (0, 0, 0, 0))
    assert words in delivery.error_message
    assert (source.cursor_at, stored(), model_to_dict(LatestReading.objects.get())) == before
    assert not RejectedRow.objects.exists()
    assert source.failures_in_a_row == 1
    assert NOON < source.next_due_at <= NOON + timedelta(seconds=1.25 * 15)

    assert polled_once(source).status == "success"
    assert source.failures_in_a_row == 0


def test_a_body_that_is_not_in_the_declared_encoding_fails(source_of: Callable[..., ServedSource]) -> None:
    body = csv_body(csv_row(unit_name="Kühlraum")).encode("latin-1")
    assert polled_once(source_of(csv_answer(body), encoding="utf-8")).error_reason == "undecodable"
    assert not Reading.objects.exists()


# A body that is cut off

ROWS = [f"2026-11-23T10:0{minute}:00" for minute in range(5)]
CSV_BYTES = csv_body(*[csv_row(timestamp=time) for time in ROWS]).encode()
JSON_BYTES = json_body(*[json_row(timestamp=time) for time in ROWS]).encode()


@pytest.mark.parametrize("body", [CSV_BYTES[:-60], JSON_BYTES[:-60]], ids=["CSV", "JSON"])
@pytest.mark.parametrize("is_told", [True, False], ids=["shorter than promised", "as long as promised"])
def test_a_cut_off_body_keeps_complete_rows_and_rejects_the_incomplete_one(
    source_of: Callable[..., ServedSource], body: bytes, is_told: bool
) -> None:
    source = source_of(answer(body, length=len(body) + (60 if is_told else 0)))

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("partial", (4, 0, 0, 1))
    assert "cut off" in delivery.error_message
    rejected = RejectedRow.objects.get()
    assert (rejected.reason, rejected.state) == ("cut_off", "waiting")
    assert body.decode().endswith(rejected.raw)
    assert rejected.message == "The body ends within this row. The next delivery should contain the whole row."


def test_a_truncated_gzip_body_keeps_the_rows_that_can_be_decompressed(source_of: Callable[..., ServedSource]) -> None:
    times = [NOON - timedelta(minutes=minutes) for minutes in range(2_000)]
    noise = random.Random(5)  # lest it packs too well
    rows = [csv_row(timestamp=f"{time:%Y-%m-%dT%H:%M:%S}", temperature=f"{noise.uniform(1, 9):.9f}") for time in times]
    compressed = gzip.compress(csv_body(*rows).encode())

    delivery = polled_once(source_of(csv_answer(compressed[: len(compressed) // 2])))

    assert delivery.status == "partial"
    assert 500 < delivery.records_stored < 1_500
    assert delivery.records_rejected == 1
    assert Reading.objects.count() == delivery.records_stored


# A row that cannot be a reading

NO_READINGS = {
    "no unit": ({"unit_id": None}, "no_unit", "The row has no storage unit."),
    "no time": ({"timestamp": None}, "no_time", "The row has no time."),
    "an unreadable time": ({"timestamp": "yesterday"}, "unreadable_time", 'The time "yesterday" cannot be read.'),
    "no such date": ({"timestamp": "2026-02-30T10:00:00"}, "unreadable_time", '"2026-02-30T10:00:00" cannot be read'),
    "over 24 hours ahead": (
        {"timestamp": "2026-11-24T12:00:01"},
        "future_time",
        'The time "2026-11-24 12:00:01 UTC" is more than 24 hours ahead.',
    ),
    "a word": ({"temperature": "warm"}, "not_a_number", 'The temperature "warm" is not a number.'),
    "ERR": ({"temperature": "ERR"}, "not_a_number", 'The temperature "ERR" is not a number.'),
    "NaN": ({"temperature": "NaN"}, "not_finite", 'The temperature "NaN" is not finite.'),
    "infinite": ({"temperature": "-inf"}, "not_finite", 'The temperature "-inf" is not finite.'),
    "below absolute zero": ({"temperature": -273.16}, "below_absolute_zero", '"-273.16" (°C) is below absolute zero.'),
    "below it in °F": (
        {"temperature": -459.68, "temperature_unit": "F"},
        "below_absolute_zero",
        '"-459.68" (°F) is below absolute zero.',
    ),
    "above 1,000 °C": ({"temperature": 1000.5}, "above_1000_c", '"1000.5" (°C) is above 1,000 °C.'),
    "an unknown scale": ({"temperature_unit": "Rankine"}, "unknown_scale", 'The scale "Rankine" is not Celsius'),
}


def as_json(*changes: dict[str, object]) -> Script:
    return json_answer(json_body(*[json_row(**change) for change in changes]))


def as_csv(*changes: dict[str, object]) -> Script:
    return csv_answer(csv_body(*[csv_row(**csv_cells(change)) for change in changes]))


def csv_cells(change: dict[str, object]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in change.items()}


@pytest.mark.parametrize(("script", "row_number"), [(as_json, 2), (as_csv, 3)], ids=["JSON", "CSV"])
@pytest.mark.parametrize(("change", "reason", "words"), NO_READINGS.values(), ids=NO_READINGS.keys())
def test_an_invalid_row_is_saved_verbatim_with_its_number_and_reason(
    source_of: Callable[..., ServedSource],
    script: Callable[..., Script],
    row_number: int,
    change: dict[str, object],
    reason: str,
    words: str,
) -> None:
    source = source_of(script({"timestamp": "2026-11-23T09:00:00"}, change, {"timestamp": GOOD_TIME}))

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("partial", (2, 0, 0, 1))
    assert delivery.error_message == f"Rejected rows: 1 × {Reason(reason).label}."
    rejected = RejectedRow.objects.get()
    assert (rejected.row_number, rejected.reason, rejected.state) == (row_number, reason, "waiting")
    assert words in rejected.message
    assert (rejected.source, rejected.delivery, rejected.received_at) == (source, delivery, NOON)
    assert rejected.raw == sent_row(script, change)
    assert stored() == [-74.31, -74.31]
    assert StorageUnit.objects.count() == 1
    assert source.cursor_at == datetime(2026, 11, 23, 10, tzinfo=UTC)


def sent_row(script: Callable[..., Script], change: dict[str, object]) -> str:
    """Return the row with this change as `script` sends it."""
    if script is as_csv:
        return csv_row(**csv_cells(change))
    return json.dumps(json_row(**change))


def test_a_bare_nan_of_json_is_not_finite(source_of: Callable[..., ServedSource]) -> None:
    body = json_body(json_row(temperature="?")).replace('"?"', "NaN")
    polled_once(source_of(json_answer(body)))
    assert RejectedRow.objects.get().reason == "not_finite"
    assert stored() == []


@pytest.mark.parametrize(
    ("known_facility", "reason", "named"),
    [("facility_A_1", "unknown_unit", "unit_A_1_1"), ("facility_A_2", "unknown_facility", "facility_A_1")],
)
def test_a_row_of_an_unknown_unit_is_rejected_where_units_are_not_registered(
    source_of: Callable[..., ServedSource], known_facility: str, reason: str, named: str
) -> None:
    source = source_of(json_answer(GOOD), registers_units=False)
    FacilityFactory(customer=source.customer, facility_code=known_facility)

    assert counts(polled_once(source)) == (0, 0, 0, 1)

    rejected = RejectedRow.objects.get()
    assert (rejected.reason, rejected.row_number) == (reason, 1)
    assert f'"{named}" is not registered' in rejected.message
    assert rejected.raw == sent_row(as_json, {"timestamp": GOOD_TIME})
    assert not StorageUnit.objects.exists()


def test_a_repeated_rejected_row_is_saved_once_and_counted(
    source_of: Callable[..., ServedSource],
) -> None:
    source = source_of(as_csv({"temperature": "warm"}))
    for _ in range(3):
        polled_once(source)
    assert RejectedRow.objects.get().seen_count == 3
    assert sum(each.records_rejected for each in Delivery.objects.all()) == 3


def test_a_row_with_too_many_cells_affects_no_other_row(source_of: Callable[..., ServedSource]) -> None:
    body = csv_body(csv_row(timestamp=GOOD_TIME), csv_row() + ",too,many")
    assert counts(polled_once(source_of(csv_answer(body)))) == (1, 0, 0, 1)
    rejected = RejectedRow.objects.get()
    assert (rejected.reason, rejected.raw) == ("wrong_number_of_columns", csv_row() + ",too,many")


# A sensor that gave no measurement


@pytest.mark.parametrize(
    ("script", "fields"),
    [
        (as_json({"temperature": None}), {}),
        (as_json({"temperature": ""}), {}),
        (as_csv({"temperature": None}), {}),
        (as_csv({"temperature": "  "}), {}),
        (as_json({"temperature": "ERR"}), {"null_values": ["ERR"]}),
        (as_csv({"temperature": "ERR"}), {"null_values": ["---", "ERR"]}),
        (as_json({"temperature": -999}), {"null_values": ["-999.0"]}),
        (as_csv({"temperature": "-999.0"}), {"null_values": ["-999.0"]}),
    ],
    ids=["null", "empty text", "empty cell", "blank cell", "declared", "declared CSV", "number", "number in CSV"],
)
def test_a_missing_measurement_is_stored_as_null_and_never_as_zero(
    source_of: Callable[..., ServedSource], script: Script, fields: dict[str, list[str]]
) -> None:
    delivery = polled_once(source_of(script, **fields))

    assert (delivery.status, counts(delivery)) == ("success", (1, 0, 0, 0))
    assert stored() == [None]
    assert LatestReading.objects.get().temperature_c is None
    for rollup in (HourlyRollup.objects.get(reading_count=1), DailyRollup.objects.get(reading_count=1)):
        assert (rollup.fault_count, rollup.min_c, rollup.max_c, rollup.sum_ninth_micro_c) == (1, None, None, 0)


# Numbers stay what they were


@pytest.mark.parametrize("script", [as_json, as_csv], ids=["JSON", "CSV"])
def test_0_97_stays_0_97(source_of: Callable[..., ServedSource], script: Callable[..., Script]) -> None:
    polled_once(source_of(script({"temperature": 0.97, "quality_score": 0.97})))
    reading = Reading.objects.get()
    assert (reading.temperature_c, reading.quality_score) == (0.97, 0.97)
    assert DailyRollup.objects.get(reading_count=1).sum_ninth_micro_c == 9 * 970_000


fahrenheit = (
    st.decimals("-459.67", "1832", places=6) | st.decimals("-459.67", "1832", places=1) | st.integers(-459, 1832)
)


@pytest.mark.parametrize("ending", ["csv", "json"])
@given(sent=st.lists(fahrenheit, min_size=1, max_size=200))
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fahrenheit_values_are_returned_with_the_digits_that_were_sent(
    tmp_path: Path, ending: str, sent: list[Decimal | int]
) -> None:
    times = [f"{NOON - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}" for minutes in range(len(sent))]
    rows = zip(sent, times, strict=True)
    if ending == "csv":
        text = csv_body(*[csv_row(temperature=str(t), temperature_unit="F", timestamp=time) for t, time in rows])
    else:
        marked = [json_row(temperature=f"<{t}>", temperature_unit="F", timestamp=time) for t, time in rows]
        text = json_body(*marked).replace('"<', "").replace('>"', "")
    file = tmp_path / f"readings.{ending}"
    file.write_text(text)
    customer = CustomerFactory()

    assert import_file(file, customer).delivery.records_stored == len(sent)

    readings = Reading.objects.filter(storage_unit__facility__customer=customer).order_by("-recorded_at")
    shown = [Decimal(repr(from_celsius(each.temperature_c, each.scale))) for each in readings]
    assert shown == [Decimal(str(each)) for each in sent]
    assert {each.scale for each in readings} == {"F"}


# Rows that were there before


def test_a_row_already_stored_is_a_duplicate_without_effect(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(GOOD))
    polled_once(source)
    before = [model_to_dict(each) for each in (LatestReading.objects.get(), *HourlyRollup.objects.all())]

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("success", (0, 1, 0, 0))
    assert [model_to_dict(each) for each in (LatestReading.objects.get(), *HourlyRollup.objects.all())] == before


def test_a_contradicting_row_becomes_a_conflict_and_overwrites_nothing(
    source_of: Callable[..., ServedSource],
) -> None:
    source = source_of(in_turn(as_json({"temperature": -74.31}), as_json({"temperature": -12.5})))
    polled_once(source)

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("partial", (0, 0, 1, 0))
    assert delivery.error_message == "Rows contradicting stored readings: 1."
    conflict = Conflict.objects.get()
    assert (conflict.temperature_c, conflict.stored_temperature_c, conflict.state) == (-12.5, -74.31, "waiting")
    assert conflict.delivery == delivery
    assert stored() == [-74.31]


def test_the_first_of_two_contradicting_rows_in_one_body_is_stored(
    source_of: Callable[..., ServedSource],
) -> None:
    delivery = polled_once(source_of(as_csv({"temperature": "-74.31"}, {"temperature": "-12.5"})))
    assert counts(delivery) == (1, 0, 1, 0)
    assert stored() == [-74.31]
    assert Conflict.objects.get().temperature_c == -12.5


# Rows that come late

EVERY_HOUR = [(NOON - timedelta(hours=hours), -20.0 + hours % 7) for hours in range(72)]
YEARS_AGO = [(datetime(2019, 3, 31, hour, tzinfo=UTC), 4.0 + hour) for hour in range(5)]


def test_late_and_unordered_rows_give_the_same_result_as_ordered_ones(tmp_path: Path) -> None:
    shuffled = random.Random(3).sample(EVERY_HOUR, len(EVERY_HOUR))
    late, early = shuffled[:40], shuffled[40:]

    orderly, disorderly = CustomerFactory(), CustomerFactory()
    files = [(orderly, YEARS_AGO), (orderly, sorted(EVERY_HOUR))]
    files += [(disorderly, early), (disorderly, YEARS_AGO), (disorderly, late)]
    for number, (customer, rows) in enumerate(files):
        file = tmp_path / f"{number}.csv"
        file.write_text(csv_body(*[csv_row(timestamp=f"{at:%FT%T}", temperature=str(t)) for at, t in rows]))
        import_file(file, customer, mapping=FieldMapping(accepts_old_readings=True))
    refresh()

    assert delivery_counts(disorderly) == delivery_counts(orderly)
    assert len(delivery_counts(orderly)[0]) == len(EVERY_HOUR + YEARS_AGO)


def delivery_counts(customer: Customer) -> list[Sequence[object]]:
    """All that is stored and made of a customer's readings."""
    unit = StorageUnit.objects.get(facility__customer=customer)
    rows: list[Sequence[object]] = []
    for model, keys in ((Reading, ["recorded_at"]), (HourlyRollup, ["hour"]), (DailyRollup, ["local_date"])):
        ids = {"storage_unit_id", "sensor_id", "created_at"}
        names = [field.attname for field in model._meta.concrete_fields if field.attname not in ids]
        rows.append(list(model.objects.filter(storage_unit=unit).order_by(*keys).values_list(*names)))
    return [*rows, (unit.latest_reading.recorded_at, unit.latest_reading.temperature_c)]
