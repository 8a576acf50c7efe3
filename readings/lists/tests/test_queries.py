"""How much of a list is searched for a page: about what it holds, however often the units send."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from core.db.prepared import Parameters
from core.scope import Scope
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing, page_sql, stored_row
from readings.models import Reading
from readings.storage.future_readings import store_due
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import store
from readings.units.unit_refs import visible_unit_refs
from tests.factories import SensorFactory, StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def listing_of(*, interval_seconds: int, every: timedelta, count: int) -> Listing:
    """Return the list of a unit that sent this many readings from NOON on."""
    unit = StorageUnitFactory(interval_seconds=interval_seconds)
    store_readings(unit, [5.0] * count, start=NOON, every=every)
    return Listing(visible_unit_refs(Scope.everything()), ReadingFilter())


def test_the_rate_is_what_was_sent_since_yesterday_began() -> None:
    total, a_second = listing_of(interval_seconds=900, every=timedelta(minutes=1), count=721).count()
    # Up to midnight, 24 hours after yesterday began.
    assert total == 721
    assert a_second == pytest.approx(721 / 86_400)


@pytest.mark.parametrize("every_seconds", [10, 60, 900, 7_200])
def test_a_page_of_a_unit_that_sends_at_another_interval_takes_one_statement(
    every_seconds: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    listing = listing_of(interval_seconds=900, every=timedelta(seconds=every_seconds), count=150)
    counted = listing.count()
    with django_assert_num_queries(1):
        assert len(listing.rows(20, counted=counted)) == 20


@given(
    minutes=st.lists(st.integers(0, 3_000), min_size=1, max_size=60, unique=True),
    skipped=st.integers(1, 62),
    until=st.none() | st.integers(0, 3_000),
    since=st.none() | st.integers(0, 3_000),
)
@settings(max_examples=30)
def test_a_page_far_below_is_that_of_the_whole_list(
    minutes: list[int], skipped: int, until: int | None, since: int | None
) -> None:
    with transaction.atomic(), patch("readings.lists.queries.LEAST_SKIPPED", 1):
        sensors = [SensorFactory(), SensorFactory(storage_unit__facility__time_zone="Asia/Kolkata")]
        sensors.append(SensorFactory(storage_unit=sensors[0].storage_unit))
        keys = [(sensor.storage_unit_id, sensor.pk) for sensor in sensors]
        store(ReadingBatch.of_rows((*keys[each % 3], NOON + timedelta(minutes=each), 5.0) for each in minutes))
        start, end = (None if each is None else NOON + timedelta(minutes=each) for each in (since, until))
        listing = Listing(visible_unit_refs(Scope.everything()), ReadingFilter(start, end))
        everything = listing.rows(1_000)
        counted = listing.count()

        for given_count in (None, counted):
            page = listing.rows(5, offset=skipped, counted=given_count)
            assert page == everything[skipped : skipped + 5]
        transaction.set_rollback(True)


def test_a_page_far_below_reads_the_hours_around_it_only() -> None:
    listing = listing_of(interval_seconds=60, every=timedelta(minutes=1), count=3_000)
    counted = listing.count()
    with CaptureQueriesContext(connection) as queries:
        rows = listing.rows(20, offset=2_030, counted=counted)
    assert len(queries) == 2
    assert rows[0].recorded_at == NOON + timedelta(minutes=2_999 - 2_030)
    needed, limit, offset = map(int, re.findall(r"\d+", queries[-1]["sql"])[-3:])
    assert (limit, needed) == (20, offset + 20)
    assert offset < 60


def test_a_page_far_below_reads_little_more_than_the_rows_above_it_in_its_hour() -> None:
    listing = listing_of(interval_seconds=60, every=timedelta(seconds=1), count=7_200)
    counted = listing.count()._replace(a_second=0.5)
    with CaptureQueriesContext(connection) as queries:
        rows = listing.rows(20, offset=5_600, counted=counted)
    assert rows[0].recorded_at == NOON + timedelta(seconds=7_199 - 5_600)
    low, high = map(datetime.fromisoformat, re.findall(r"'(2026[^']+)'", queries[-1]["sql"]))
    above = high - rows[-1].recorded_at
    assert above < high - low < above * 1.15


def test_rows_above_a_page_are_not_fetched() -> None:
    listing = listing_of(interval_seconds=60, every=timedelta(minutes=1), count=100)
    parameters: Parameters = {
        "unit_ids": list(listing.unit_refs), "low": NOON, "high": NOON + timedelta(minutes=99),
        "needed": 60, "limit": 10, "offset": 50,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {page_sql('', 'DESC', by_keys=True)}", parameters)
        plan = str(cursor.fetchone()[0])
    assert plan.count("'Index Only Scan'") == 1


def test_nothing_is_counted_for_a_page_that_is_expected_in_the_newest_hour(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    listing = listing_of(interval_seconds=60, every=timedelta(seconds=1), count=3_000)
    counted = listing.count()._replace(a_second=1.0)
    with django_assert_num_queries(1):
        rows = listing.rows(20, offset=2_030, counted=counted)
    assert rows[0].recorded_at == NOON + timedelta(seconds=2_999 - 2_030)


def test_without_readings_nothing_is_counted() -> None:
    StorageUnitFactory()
    listing = Listing(visible_unit_refs(Scope.everything()), ReadingFilter())
    assert listing.count() == (0, None)
    assert listing.rows(20) == []


def test_a_reading_dated_ahead_is_found_while_it_takes_effect() -> None:
    unit = StorageUnitFactory()
    later = NOON + timedelta(hours=1)
    store_readings(unit, [5.0], start=later, received_at=NOON)
    [sensor] = unit.sensors.all()
    statements: list[str] = []

    def let_its_time_come(execute: Callable[..., object], sql: str, *arguments: object) -> object:
        found = execute(sql, *arguments)
        if sql.startswith("EXECUTE") and not statements:
            statements.append(sql)
            store_due(unit.pk, later)
        return found

    with connection.execute_wrapper(let_its_time_come):
        row = stored_row(unit.pk, sensor.sensor_code, later)

    assert row is not None
    assert row.temperature_c == 5.0
    assert Reading.objects.exists()
