"""Statistics and time outside use the limits and the staleness limit in force at each moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alarms.limits.versions import FIRST_VALID_FROM
from alarms.models import LimitVersion, UnitLimits
from alarms.tests.evaluation import MINUTE, START, at
from alarms.tests.naive_excursions import minutes_outside, naive_statistics
from alarms.thresholds import Limits, SensorPolicy
from customers.models import StorageUnit
from readings.statistics.statistics import statistics
from readings.statistics.time_outside import TimeOutside, time_outside
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.rebuilds import run_requested_rebuilds
from readings.storage.rollups import refresh
from readings.storage.store import store
from readings.time_ranges import TimeRange
from tests.factories import SensorFactory, StorageUnitFactory, store_reading, store_readings

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

LATER = START + timedelta(days=30)
DAY = timedelta(days=1)
Versions = Sequence[tuple[int, Limits]]


def make_unit(versions: Versions, sensors: int = 1) -> StorageUnit:
    """Return a unit with these limits, each from its minute on; the sensors in the limits are numbered from 1."""
    unit = StorageUnitFactory()
    ids = [sensor.pk for sensor in SensorFactory.create_batch(sensors, storage_unit=unit)]
    LimitVersion.objects.filter(storage_unit=unit).delete()
    for number, (begins, limits) in enumerate(versions):
        named = limits.named_sensor_id
        values = dataclasses.asdict(limits) | {"named_sensor_id": ids[named - 1] if named else None}
        LimitVersion.objects.create(
            storage_unit=unit,
            valid_from=at(begins) if number else FIRST_VALID_FROM,
            interval_seconds=300,
            profile_name="test",
            **values,
        )
    return StorageUnit.objects.get(pk=unit.pk)


def warm_above(limit_c: float, staleness_minutes: int = 45) -> Limits:
    return Limits(high_warning_c=limit_c, high_critical_c=limit_c + 5, gap_limit_seconds=staleness_minutes * 60)


def outside_in(unit: StorageUnit, begins: int, ends: int) -> TimeOutside | None:
    return time_outside(unit.pk, TimeRange(at(begins), at(ends)))


def covered_minutes(unit: StorageUnit, begins: int, ends: int) -> float:
    return statistics([unit.pk], at(begins), at(ends), now=LATER).covered_seconds / 60


def test_time_outside_uses_the_limits_in_force_at_each_moment() -> None:
    unit = make_unit([(0, warm_above(8)), (20, warm_above(7)), (50, warm_above(10))])
    store_readings(unit, [7.5] * 8, start=START, every=10 * MINUTE)
    # Within until minute 20, outside until 50, within from then on.
    assert outside_in(unit, 0, 80) == TimeOutside(30 * MINUTE, timedelta())
    assert outside_in(unit, 0, 20) == TimeOutside(timedelta(), timedelta())


def test_a_reading_that_was_within_is_outside_once_limits_change() -> None:
    unit = make_unit([(0, warm_above(8)), (65, warm_above(1))])
    store_readings(unit, [7.0], start=at(55))
    assert outside_in(unit, 0, 200) == TimeOutside(35 * MINUTE, 35 * MINUTE)


def test_changed_limits_do_not_change_the_time_outside_before() -> None:
    unit = StorageUnitFactory(set_temperature=5.0)
    store_readings(unit, [7.5, 7.5, 5.0], start=START)
    before = outside_in(unit, 0, 60)
    UnitLimits.objects.create(storage_unit=unit, high_warning_c=8.0)
    unit.set_temperature = 20.0
    unit.save()
    assert outside_in(unit, 0, 60) == before == TimeOutside(30 * MINUTE, timedelta())


def test_a_changed_staleness_limit_changes_no_figure_of_the_past() -> None:
    unit = StorageUnitFactory(gap_limit_seconds=20 * 60)
    store_readings(unit, [5.0, 9.0], start=START, every=60 * MINUTE)
    refresh()
    before = statistics([unit.pk], START, START + DAY, now=LATER)
    unit.gap_limit_seconds = 3_600
    unit.save()
    run_requested_rebuilds()
    assert statistics([unit.pk], START, START + DAY, now=LATER) == before
    refresh()
    assert statistics([unit.pk], START, START + DAY, now=LATER) == before
    assert before.covered_seconds == 40 * 60
    assert outside_in(unit, 0, 200) == TimeOutside(20 * MINUTE, timedelta())


def test_a_changed_staleness_limit_applies_from_its_moment_on() -> None:
    unit = StorageUnitFactory(gap_limit_seconds=600)
    read_at = timezone.now() - 20 * MINUTE
    store_reading(unit, 5.0, read_at)
    refresh()
    unit.gap_limit_seconds = 3 * 3_600
    unit.save()
    changed_at = unit.limit_versions.latest("valid_from").valid_from
    run_requested_rebuilds()
    for _ in range(2):
        result = statistics([unit.pk], read_at, read_at + DAY, now=read_at + DAY)
        valid_again = read_at + 180 * MINUTE - changed_at
        assert result.covered_seconds == pytest.approx(600 + valid_again.total_seconds())
        refresh()


def test_readings_that_arrive_late_are_valid_for_the_limit_of_their_time() -> None:
    unit = make_unit([(0, warm_above(8, staleness_minutes=600)), (700, warm_above(8, staleness_minutes=10))])
    store_readings(unit, [9.0], start=START)
    assert covered_minutes(unit, 0, 1_440) == 600
    refresh()
    assert covered_minutes(unit, 0, 1_440) == 600
    assert outside_in(unit, 0, 1_440) == TimeOutside(600 * MINUTE, timedelta())


def test_the_mean_of_the_sensors_or_the_reference_sensor_is_outside_where_limits_say_so() -> None:
    any_sensor = Limits(high_warning_c=8.0, gap_limit_seconds=1_200)
    mean = dataclasses.replace(any_sensor, sensor_policy=SensorPolicy.MEAN)
    named = dataclasses.replace(any_sensor, sensor_policy=SensorPolicy.NAMED, named_sensor_id=2)
    unit = make_unit([(0, any_sensor), (100, mean), (200, named)], sensors=2)
    warm, cold = unit.sensors.order_by("pk")
    for minute in (0, 100, 200):
        store_readings(unit, [11.0, 11.0], start=at(minute), every=10 * MINUTE, sensor=warm)
        store_readings(unit, [6.0, 4.0], start=at(minute), every=10 * MINUTE, sensor=cold)
    assert [outside_in(unit, minute, minute + 100) for minute in (0, 100, 200)] == [
        TimeOutside(time, timedelta()) for time in (30 * MINUTE, 10 * MINUTE, timedelta())
    ]


def test_without_limits_at_any_moment_the_time_outside_is_unknown() -> None:
    unit = make_unit([(0, Limits()), (100, warm_above(8)), (200, Limits())])
    store_readings(unit, [9.0] * 30, start=START, every=10 * MINUTE)
    assert outside_in(unit, 0, 100) is None
    assert outside_in(unit, 50, 300) == TimeOutside(100 * MINUTE, timedelta())


limits = st.builds(
    Limits,
    low_warning_c=st.sampled_from([None, 2.0]),
    high_warning_c=st.sampled_from([None, 7.0, 8.0]),
    high_critical_c=st.sampled_from([None, 10.0]),
    is_inclusive=st.booleans(),
    gap_limit_seconds=st.sampled_from([300, 2_700, 7_200]),
    sensor_policy=st.sampled_from(SensorPolicy),
    named_sensor_id=st.just(1),
)
temperatures = st.one_of(st.none(), st.integers(0, 12).map(float))
fleets = st.integers(1, 3).flatmap(
    lambda sensors: st.dictionaries(
        st.tuples(st.integers(0, 300), st.integers(1, sensors)), temperatures, min_size=1, max_size=25
    )
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=fleets,
    versions=st.tuples(limits, st.dictionaries(st.integers(1, 400), limits, max_size=3)).map(
        lambda drawn: [(-1_000, drawn[0]), *sorted(drawn[1].items())]
    ),
    period=st.tuples(st.integers(0, 400), st.integers(1, 400)).map(lambda drawn: (drawn[0], drawn[0] + drawn[1])),
)
def test_statistics_and_time_outside_equal_a_naive_definition_minute_by_minute(
    rows: dict[tuple[int, int], float | None], versions: list[tuple[int, Limits]], period: tuple[int, int]
) -> None:
    unit = make_unit(versions, sensors=3)
    ids = sorted(unit.sensors.values_list("pk", flat=True))
    store(ReadingBatch.of_rows(ReadingRow(unit.pk, ids[each - 1], at(minute), c) for (minute, each), c in rows.items()))
    naive = naive_statistics(rows, versions, *period)
    has_limits = any(
        limits.lowest_c is not None or limits.highest_c is not None
        for (begins, limits), (ends, _) in zip(versions, [*versions[1:], (10_000, None)], strict=True)
        if begins < period[1] and ends > period[0]
    )
    expected = minutes_outside(rows, versions, *period) * MINUTE if has_limits else None
    for _ in range(2):
        found = statistics([unit.pk], at(period[0]), at(period[1]), now=LATER)
        assert found.covered_seconds == naive.covered * 60
        assert found.mean_c == (None if naive.mean_c is None else pytest.approx(naive.mean_c, rel=1e-9))
        assert found.mkt_c == (None if naive.mkt_c is None else pytest.approx(naive.mkt_c, rel=1e-9))
        outside = outside_in(unit, *period)
        assert (None if outside is None else outside.outside) == expected
        refresh()
