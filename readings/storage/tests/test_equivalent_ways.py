"""Few readings are stored and found in other ways than many, with the same tables and the same result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import models, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.models import Sensor
from readings.models import DailyRollup, FutureReading, HourlyRollup, LateReadings, LatestReading, Reading
from readings.storage import known_readings
from readings.storage import store as store_module
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.store import StoreResult, store
from tests.factories import FacilityFactory, SensorFactory, StorageUnitFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

# Around changes of the clocks: in London, past midnight in St. John's, at midnight in Havana.
STARTS = (
    datetime(2026, 3, 28, 23, 30, tzinfo=UTC),
    datetime(2009, 11, 1, 2, 0, tzinfo=UTC),
    datetime(2025, 11, 2, 4, 30, tzinfo=UTC),
)
MANY = 1_000_000
# What differs between two runs: when a row was written.
WRITTEN = {"id", "created_at", "arrived_at"}
TABLES = (Reading, FutureReading, HourlyRollup, DailyRollup, LatestReading, LateReadings)
# Settings of `store` and of `known_readings`: the rows that are few, those fetched for each.
BY_ARRAYS = (MANY, 4, 1_000)
BY_COPY = (0, 4, 1_000)
BY_COPY_CUT_OFF = (0, 1, 0)
# Of batches with more rows than these, few may be new.
BY_BOTH = (3, 4, 1_000)

Way = tuple[int, int, int]
Row = tuple[int, int, float | None, str, float, int]
Sent = list[list[Row]]
rows = st.tuples(
    st.integers(0, 6),
    st.sampled_from([0, 7, 14, 15, 29, 30, 31, 60, 89, 90, 150, 1_500]),
    st.sampled_from([None, 5.0, 5.0000000001, -18.06, 60.0]),
    st.sampled_from(["C", "F", "K"]),
    st.sampled_from([0.0, 0.79, 0.8, 1.0]),
    st.sampled_from([1, 2, 3]),
)
batches = st.lists(st.lists(rows, min_size=1, max_size=12), min_size=1, max_size=4)


@pytest.fixture
def sensors() -> list[Sensor]:
    """Three sensors of a unit in London, and one of a unit in London and of each of three others."""
    zones = ("Europe/London", "Asia/Kathmandu", "America/St_Johns", "America/Havana")
    london, *others = (FacilityFactory(time_zone=zone) for zone in zones)
    shared = StorageUnitFactory(facility=london)
    units = [shared, shared, shared, StorageUnitFactory(facility=london, gap_limit_seconds=7 * 3_600)]
    units += [
        StorageUnitFactory(facility=facility, gap_limit_seconds=days * 86_400)
        for days, facility in enumerate(others, 1)
    ]
    return [SensorFactory(storage_unit=unit) for unit in units]


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def rows_of(model: type[models.Model]) -> list[tuple[object, ...]]:
    names = [field.attname for field in model._meta.concrete_fields if field.attname not in WRITTEN]
    return sorted(model._default_manager.values_list(*names), key=repr)


def batch_of(sensors: list[Sensor], sent: Sequence[Row], start: datetime) -> ReadingBatch:
    return ReadingBatch.of_rows(
        ReadingRow(sensors[row[0]].storage_unit_id, sensors[row[0]].pk, start + timedelta(minutes=row[1]), *row[2:])
        for row in sent
    )


def outcome(
    batches: list[ReadingBatch], received_at: datetime, way: Way
) -> tuple[list[StoreResult], list[list[tuple[object, ...]]]]:
    """Return the results and the tables after storing these batches in turn."""
    few, fetched_per_row, fetched_at_least = way
    with undone(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "FEW_ROWS", few)
        patch.setattr(known_readings, "FETCHED_PER_ROW", fetched_per_row)
        patch.setattr(known_readings, "FETCHED_AT_LEAST", fetched_at_least)
        results = [store(batch, received_at) for batch in batches]
        return results, [rows_of(model) for model in TABLES]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=batches, start=st.sampled_from(STARTS), is_ahead=st.booleans())
def test_readings_are_stored_alike_in_every_way(
    sensors: list[Sensor], sent: Sent, start: datetime, is_ahead: bool
) -> None:
    received_at = start + timedelta(minutes=60 if is_ahead else 10_000)
    batches = [batch_of(sensors, each, start) for each in sent]
    expected = outcome(batches, received_at, BY_ARRAYS)
    assert outcome(batches, received_at, BY_COPY) == expected
    assert outcome(batches, received_at, BY_COPY_CUT_OFF) == expected
    assert outcome(batches, received_at, BY_BOTH) == expected


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.permutations(range(40)), cut=st.integers(1, 39), repeated=st.integers(0, 40), again=st.booleans())
def test_any_order_and_splitting_leads_to_the_same_tables(
    sensors: list[Sensor], sent: list[int], cut: int, repeated: int, again: bool
) -> None:
    every: list[Row] = [
        (number % 7, number * 37 % 300, None if number % 9 == 4 else number / 4, "C", 1.0, 1) for number in range(40)
    ]
    shuffled = [every[number] for number in sent]
    parts = [shuffled[:cut] + shuffled[:repeated], shuffled[cut:], *([every] if again else [])]
    received_at = STARTS[0] + timedelta(days=3)

    _, expected = outcome([batch_of(sensors, every, STARTS[0])], received_at, BY_ARRAYS)
    _, tables = outcome([batch_of(sensors, part, STARTS[0]) for part in parts], received_at, BY_COPY)

    # Late readings are registered by the batch they arrived in.
    assert tables[:-1] == expected[:-1]


def test_the_spans_of_many_readings_identify_their_rows(sensors: list[Sensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FEW_ROWS", 0)
    first, second = ([(number, minute, 5.0, "C", 1.0, 1) for number in range(7)] for minute in (0, 7))
    for sent in (first, second):
        result = store(batch_of(sensors, sent, STARTS[0]), STARTS[0] + timedelta(days=1))
        found = Reading.objects.filter(created_at=result.spans[0].stored_at)
        assert found.count() == result.stored == 7
        assert {span.unit_id for span in result.spans} == {reading.storage_unit_id for reading in found}
