"""Rejected rows wait until a person has fixed the cause and replays them, or dismisses them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from time_machine import Traveller

from ingestion.loading.file_import import import_file
from ingestion.loading.replay import dismiss, replay
from ingestion.models import Conflict, Delivery, RejectedRow, Source
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import csv_body, csv_row, json_body, json_row
from ingestion.polling.tests.polling import ServedSource, by_path, counts, csv_answer, in_turn, json_answer, polled_once
from readings.models import DailyRollup, Reading
from readings.units.scales import from_celsius
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    RejectedRowFactory,
    SensorFactory,
    SourceFactory,
    StorageUnitFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]


def fix_mapping(source: Source, **fields: object) -> None:
    for name, value in fields.items():
        setattr(source, name, value)
    source.full_clean()
    source.save()


def replay_all(by: str = "Anna") -> tuple[int, int]:
    result = replay(RejectedRow.objects.all(), by=by)
    return result.replayed, result.still_rejected


# Causes that can be fixed


def test_once_a_null_value_is_declared_its_rows_are_stored_as_no_measurement(
    source_of: Callable[..., ServedSource],
) -> None:
    source = source_of(csv_answer(csv_body(csv_row(temperature="ERR"))))
    polled_once(source)

    fix_mapping(source, null_values=["ERR"])
    assert replay_all() == (1, 0)

    assert Reading.objects.get().temperature_c is None
    row = RejectedRow.objects.get()
    assert (row.state, row.decided_by, row.decided_at) == ("replayed", "Anna", NOON)


def test_once_the_time_format_is_set_its_rows_are_stored(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body(json_row(timestamp="05/11/2026 10:11"))))
    polled_once(source)
    assert RejectedRow.objects.get().reason == "unreadable_time"

    fix_mapping(source, time_format="%d/%m/%Y %H:%M")
    assert replay_all() == (1, 0)
    assert Reading.objects.get().recorded_at == datetime(2026, 11, 5, 10, 11, tzinfo=UTC)


def test_once_the_time_zone_is_corrected_no_hour_is_skipped(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body(json_row(timestamp="2026-03-29T01:30:00"))), time_zone="Europe/London")
    polled_once(source)
    assert RejectedRow.objects.get().reason == "skipped_hour"

    fix_mapping(source, time_zone="UTC")
    assert replay_all() == (1, 0)
    assert Reading.objects.get().recorded_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_once_the_scale_is_set_its_rows_are_stored_on_it(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(csv_answer("unit_id,timestamp,temperature\nfreezer,2026-11-23T10:00:00,-300\n"))
    polled_once(source)
    assert RejectedRow.objects.get().reason == "below_absolute_zero"

    fix_mapping(source, scale="F")
    assert replay_all() == (1, 0)
    reading = Reading.objects.get()
    assert reading.temperature_c is not None
    assert (reading.scale, from_celsius(reading.temperature_c, "F")) == ("F", -300.0)


def test_once_a_unit_is_registered_its_rows_are_stored(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body(json_row())), registers_units=False)
    polled_once(source)

    facility = FacilityFactory(customer=source.customer, facility_code="facility_A_1")
    unit = StorageUnitFactory(facility=facility, unit_code="unit_A_1_1")
    SensorFactory(storage_unit=unit, sensor_code="sensor_1")
    assert replay_all() == (1, 0)
    assert Reading.objects.get().storage_unit == unit


def test_once_a_source_may_register_units_its_rows_register_theirs(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(json_answer(json_body(json_row())), registers_units=False)
    polled_once(source)

    fix_mapping(source, registers_units=True)
    assert replay_all() == (1, 0)
    unit = Reading.objects.get().storage_unit
    assert (unit.unit_code, unit.name, unit.set_temperature) == ("unit_A_1_1", "Ultra-Low Freezer 1", -74.2)


def test_rows_of_a_data_loggers_file_are_stored_for_the_unit_in_its_name(tmp_path: Path) -> None:
    source = SourceFactory(url="", time_zone="Europe/London")
    file = tmp_path / "Cold Room 3.csv"
    file.write_text("Date/Time,Temperature(°F)\n29/03/2026 01:30,39.2\n29/03/2026 03:30,39.4\n")
    import_file(file, source.customer, source=source)
    assert Reading.objects.count() == 1

    fix_mapping(source, time_zone="UTC")
    assert replay_all() == (1, 0)

    reading = Reading.objects.get(recorded_at=datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
    assert reading.storage_unit.unit_code == "Cold Room 3"
    assert reading.temperature_c is not None
    assert from_celsius(reading.temperature_c, reading.scale) == 39.2


def test_responses_for_single_units_are_stored_at_their_time_of_receipt(
    source_of: Callable[..., ServedSource], noon: Traveller
) -> None:
    rooms = {"/unit/one": json_answer('{"temp": "ERR"}'), "/unit/two": json_answer('{"temp": "ERR"}')}
    source = source_of(by_path(rooms), path="/unit/{unit}", unit_codes=["one", "two"])
    assert counts(polled_once(source)) == (0, 0, 0, 2)

    noon.move_to(datetime(2026, 11, 25, tzinfo=UTC))
    fix_mapping(source, null_values=["ERR"])
    assert replay_all() == (2, 0)

    readings = Reading.objects.order_by("storage_unit__unit_code").values_list("storage_unit__unit_code", "recorded_at")
    assert list(readings) == [("one", NOON), ("two", NOON)]


# What comes of it


def test_a_replay_is_logged_as_a_delivery_and_its_rows_count_in_roll_ups(
    source_of: Callable[..., ServedSource],
) -> None:
    source = source_of(csv_answer(csv_body(csv_row(temperature="warm"), csv_row(temperature="n/a"))))
    polled_once(source)
    fix_mapping(source, null_values=["n/a"])

    assert replay_all(by="Ben") == (1, 1)

    delivery = Delivery.objects.latest("id")
    assert (delivery.source, delivery.source_url) == (source, "replay of rejected rows by Ben")
    assert (delivery.status, counts(delivery)) == ("partial", (1, 0, 0, 1))
    assert DailyRollup.objects.get(reading_count=1).fault_count == 1


def test_a_row_that_is_rejected_again_stays_waiting_with_its_new_reason(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(csv_answer(csv_body(csv_row(timestamp="05/11/2026 10:11", temperature="warm"))))
    polled_once(source)
    row = RejectedRow.objects.get()
    assert row.reason == "unreadable_time"

    fix_mapping(source, time_format="%d/%m/%Y %H:%M")
    assert replay_all() == (0, 1)

    row.refresh_from_db()
    assert (row.reason, row.state, row.decided_by, row.row_number) == ("not_a_number", "waiting", "", 2)
    assert '"warm"' in row.message
    assert row.raw == csv_row(timestamp="05/11/2026 10:11", temperature="warm")
    assert RejectedRow.objects.count() == 1


def test_rows_are_replayed_with_the_mapping_of_their_own_source(
    source_of: Callable[..., ServedSource],
) -> None:
    body = csv_body(csv_row(timestamp="05/11/2026 10:11"))
    british, american = source_of(csv_answer(body)), source_of(csv_answer(body))
    for source in (british, american):
        polled_once(source)
    fix_mapping(british, time_format="%d/%m/%Y %H:%M")
    fix_mapping(american, time_format="%m/%d/%Y %H:%M")

    assert replay_all() == (2, 0)

    of_customer = Reading.objects.values_list("storage_unit__facility__customer", "recorded_at__month")
    assert dict(of_customer) == {british.customer_id: 11, american.customer_id: 5}


def test_a_row_that_has_been_stored_meanwhile_is_a_duplicate(source_of: Callable[..., ServedSource]) -> None:
    row = csv_row(temperature="ERR")
    source = source_of(csv_answer(csv_body(row)))
    polled_once(source)
    fix_mapping(source, null_values=["ERR"])
    polled_once(source)

    assert replay_all() == (1, 0)
    assert counts(Delivery.objects.latest("id")) == (0, 1, 0, 0)


def test_a_replayed_row_that_contradicts_a_stored_reading_is_a_conflict(source_of: Callable[..., ServedSource]) -> None:
    rows = [csv_row(temperature="ERR"), csv_row(temperature="-70")]
    source = source_of(in_turn(*[csv_answer(csv_body(row)) for row in rows]))
    polled_once(source)
    polled_once(source)
    fix_mapping(source, null_values=["ERR"])

    assert replay_all() == (1, 0)
    assert (Conflict.objects.get().temperature_c, Conflict.objects.get().stored_temperature_c) == (None, -70.0)


def test_a_second_replay_finds_no_waiting_rows(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(csv_answer(csv_body(csv_row(temperature="ERR"))))
    polled_once(source)
    fix_mapping(source, null_values=["ERR"])
    replay_all()
    assert replay_all() == (0, 0)
    assert Delivery.objects.count() == 2


def test_rows_without_a_source_are_replayed_with_the_default_names(tmp_path: Path) -> None:
    customer = CustomerFactory()
    file = tmp_path / "a.csv"
    file.write_text(csv_body(csv_row(temperature="warm")))
    import_file(file, customer)
    assert replay_all() == (0, 1)
    assert Delivery.objects.latest("id").ingestion_type == "import"


# Dismissed rows


def test_dismissed_rows_are_not_replayed() -> None:
    rows = RejectedRowFactory.create_batch(2)
    chosen = RejectedRow.objects.filter(pk=rows[0].pk)

    assert dismiss(chosen, by="Anna") == 1

    rows[0].refresh_from_db()
    assert (rows[0].state, rows[0].decided_by, rows[0].decided_at) == ("dismissed", "Anna", NOON)
    assert dismiss(chosen, by="Ben") == 0
    assert replay(chosen, by="Ben").replayed == 0
    rows[0].refresh_from_db()
    assert (rows[0].state, rows[0].decided_by) == ("dismissed", "Anna")
    assert RejectedRow.objects.get(pk=rows[1].pk).state == "waiting"


def test_a_dismissed_row_that_is_sent_again_stays_dismissed(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(csv_answer(csv_body(csv_row(temperature="ERR"))))
    polled_once(source)
    dismiss(RejectedRow.objects.all(), by="Anna")
    polled_once(source)
    row = RejectedRow.objects.get()
    assert (row.state, row.seen_count) == ("dismissed", 2)
