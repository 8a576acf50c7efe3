"""A few readings are stored in a way of their own, with the same result as many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import models, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.models import Sensor
from readings.models import DailyRollup, FutureReading, HourlyRollup, LateReadings, LatestReading, Reading
from readings.storage import store as store_module
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.store import StoreResult, store
from tests.factories import FacilityFactory, SensorFactory, StorageUnitFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

# The clocks change in London within the hours around it.
START = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
MANY = 1_000_000
# What differs between two runs: when a row was written.
WRITTEN = {"id", "created_at", "arrived_at"}
TABLES = (Reading, FutureReading, HourlyRollup, DailyRollup, LatestReading, LateReadings)

Row = tuple[int, int, float | None]
rows = st.tuples(
    st.integers(0, 3),
    st.sampled_from([0, 7, 14, 15, 29, 30, 31, 89, 90, 150, 1_500]),
    st.sampled_from([None, 5.0, 5.0000000001, -18.06, 60.0]),
)
batches = st.lists(st.lists(rows, min_size=1, max_size=12), min_size=1, max_size=4)


@pytest.fixture
def sensors() -> list[Sensor]:
    """Two sensors of a unit in London, and one each of units in London and Kathmandu."""
    london, kathmandu = (FacilityFactory(time_zone=zone) for zone in ("Europe/London", "Asia/Kathmandu"))
    shared = StorageUnitFactory(facility=london)
    units = [shared, shared, StorageUnitFactory(facility=london), StorageUnitFactory(facility=kathmandu)]
    return [SensorFactory(storage_unit=unit) for unit in units]


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def rows_of(model: type[models.Model]) -> list[tuple[object, ...]]:
    names = [field.attname for field in model._meta.concrete_fields if field.attname not in WRITTEN]
    return sorted(model._default_manager.values_list(*names), key=repr)


def outcome(
    sensors: list[Sensor], sent: list[list[Row]], few_rows: int, received_at: datetime
) -> tuple[list[StoreResult], list[list[tuple[object, ...]]]]:
    """Return the results and the tables after storing these batches in turn."""
    with undone(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "FEW_ROWS", few_rows)
        results = [
            store(
                ReadingBatch.of_rows(
                    ReadingRow(
                        sensors[number].storage_unit_id, sensors[number].pk, START + timedelta(minutes=minute), celsius
                    )
                    for number, minute, celsius in batch
                ),
                received_at,
            )
            for batch in sent
        ]
        return results, [rows_of(model) for model in TABLES]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=batches, ahead=st.booleans())
def test_few_rows_are_stored_like_many(sensors: list[Sensor], sent: list[list[Row]], ahead: bool) -> None:
    received_at = START + timedelta(minutes=60 if ahead else 10_000)
    assert outcome(sensors, sent, MANY, received_at) == outcome(sensors, sent, 0, received_at)
