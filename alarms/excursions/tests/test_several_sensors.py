"""Excursions of units with several sensors, which fail and go silent while others are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alarms.excursions.detected import EffectiveLimits, SensorReading
from alarms.excursions.detector import detect_excursions
from alarms.tests.evaluation import at, found_in, series
from alarms.tests.naive_excursions import naive_excursions
from alarms.thresholds import Limits, SensorPolicy

A, B = 1, 2


def readings_of(rows: Mapping[tuple[int, int], float | None]) -> list[SensorReading]:
    """Return readings in order of time from temperatures by (minute, sensor)."""
    return [SensorReading(at(minute), sensor, each) for (minute, sensor), each in sorted(rows.items())]


def test_once_the_worst_sensor_is_stale_the_others_count() -> None:
    readings = readings_of({(0, A): 12, (30, B): 9, (70, B): 9, (80, A): 5, (80, B): 5})
    (found,) = found_in(readings, low_warning_c=3.0, high_warning_c=7.0, gap_limit_seconds=45 * 60)
    assert (found.started_at, found.ended_at) == (at(0), at(80))
    assert (found.outside_seconds, found.gap_seconds) == (4_800, 0)
    assert found.area_kelvin_minutes == pytest.approx(45 * 5 + 35 * 2)


def test_the_mean_changes_when_one_of_its_sensors_goes_stale() -> None:
    readings = readings_of({(0, A): 15, (10, B): 9, (30, B): 9})
    (found,) = found_in(readings, sensor_policy=SensorPolicy.MEAN, gap_limit_seconds=20 * 60)
    assert found.area_kelvin_minutes == pytest.approx(10 * 7 + 10 * 4 + 10 * 1)


def test_a_sensor_within_does_not_end_the_excursion_of_one_that_failed() -> None:
    readings = sorted([*series(9, None, None, 5, sensor_id=A), *series(5, 5, 5, 5, begin=1, sensor_id=B)])
    (found,) = found_in(readings)
    assert (found.started_at, found.ended_at) == (at(0), at(15))
    assert (found.outside_seconds, found.gap_seconds) == (5 * 60, 0)


def test_a_sensor_within_does_not_end_the_excursion_of_one_that_went_silent() -> None:
    readings = sorted([*series(9, sensor_id=A), *series(*[5] * 20, begin=1, sensor_id=B)])
    (found,) = found_in(readings)
    assert (found.ended_at, found.last_outside_at) == (None, at(11))
    assert found.outside_seconds == 15 * 60
    (found,) = found_in([*readings, *series(5, begin=200, sensor_id=A)])
    assert found.ended_at == at(200)


def test_a_sensor_last_read_within_the_clearing_margin_does_not_end_it_by_failing() -> None:
    readings = readings_of({(0, A): 9, (5, A): 7.8, (6, A): None, (7, B): 5, (10, A): 7})
    (found,) = found_in(readings, clearing_margin_k=0.5)
    assert found.ended_at == at(10)


def test_the_mean_is_not_within_because_the_warm_sensor_failed() -> None:
    readings = readings_of({(0, A): 14, (0, B): 6, (5, A): None, (5, B): 6, (10, A): 8, (10, B): 6})
    (found,) = found_in(readings, sensor_policy=SensorPolicy.MEAN)
    assert found.ended_at == at(10)


def test_a_sensor_that_was_not_read_since_before_the_excursion_does_not_hold_it() -> None:
    readings = readings_of({(0, A): 9, (5, A): None, (300, B): 9, (305, B): 5, (306, A): 5})
    first, *_ = found_in(readings)
    assert first.ended_at == at(306)
    readings = readings_of({(0, A): 7.9, (300, B): 9, (305, B): 5})
    (found,) = found_in(readings, clearing_margin_k=0.5)
    assert found.ended_at == at(305)


def test_the_reference_sensor_alone_ends_an_excursion_once_it_is_selected() -> None:
    limits: dict[str, Any] = {"low_warning_c": 2.0, "high_warning_c": 8.0, "gap_limit_seconds": 900}
    versions = [
        EffectiveLimits(at(-1_000), Limits(**limits)),
        EffectiveLimits(at(20), Limits(**limits, sensor_policy=SensorPolicy.NAMED, named_sensor_id=B)),
    ]
    readings = readings_of({(0, A): 9} | {(minute, B): 5 for minute in range(1, 40, 5)})
    (found,) = detect_excursions(readings, versions)
    assert found.ended_at == at(21)


def test_measures_follow_the_limits_in_force_at_each_moment() -> None:
    versions = [
        EffectiveLimits(at(-1_000), Limits(high_warning_c=8.0, gap_limit_seconds=20 * 60)),
        EffectiveLimits(at(12), Limits(high_warning_c=7.0, gap_limit_seconds=20 * 60)),
        EffectiveLimits(at(18), Limits(high_warning_c=10.0, gap_limit_seconds=10 * 60)),
        EffectiveLimits(at(29), Limits(high_warning_c=8.0, gap_limit_seconds=60 * 60)),
    ]
    (found,) = detect_excursions(readings_of({(0, A): 9, (10, A): 9, (35, A): 5}), versions)
    assert (found.started_at, found.ended_at) == (at(0), at(35))
    # Within by the third version's limits from minute 18 on, stale by its limit from 20, valid again by the fourth's.
    assert found.outside_seconds == (12 + 6 + 6) * 60
    assert found.gap_seconds == 9 * 60
    assert found.area_kelvin_minutes == pytest.approx(12 * 1 + 6 * 2 + 6 * 1)


limits = st.builds(
    Limits,
    low_critical_c=st.sampled_from([None, 1.0]),
    low_warning_c=st.sampled_from([None, 2.0]),
    high_warning_c=st.sampled_from([None, 7.0, 8.0]),
    high_critical_c=st.sampled_from([None, 10.0]),
    is_inclusive=st.booleans(),
    clearing_margin_k=st.sampled_from([0.0, 1.0, 9.0]),
    clearing_delay_seconds=st.sampled_from([0, 720]),
    gap_limit_seconds=st.sampled_from([300, 900, 2_700]),
    sensor_policy=st.sampled_from(SensorPolicy),
    named_sensor_id=st.sampled_from([1, 2]),
)
temperatures = st.one_of(st.none(), st.integers(0, 12).map(float))
fleets = st.integers(1, 3).flatmap(
    lambda sensors: st.dictionaries(
        st.tuples(st.integers(0, 150), st.integers(1, sensors)), temperatures, min_size=1, max_size=40
    )
)
versions_of_limits = st.dictionaries(st.integers(1, 150), limits, max_size=3).flatmap(
    lambda later: limits.map(lambda first: [(-1_000, first), *sorted(later.items())])
)


@given(rows=fleets, versions=versions_of_limits)
@example(
    rows={(0, 1): 12, (30, 2): 9, (70, 2): 9, (80, 1): 5, (80, 2): 5},
    versions=[(-1_000, Limits(low_warning_c=3.0, high_warning_c=7.0, gap_limit_seconds=2_700))],
)
def test_excursions_equal_a_naive_definition_minute_by_minute(
    rows: dict[tuple[int, int], float | None], versions: list[tuple[int, Limits]]
) -> None:
    found = detect_excursions(readings_of(rows), [EffectiveLimits(at(begins), each) for begins, each in versions])
    naive = naive_excursions(rows, versions)
    assert [(each.started_at, each.ended_at, each.last_outside_at, each.peak_c, each.peak_at) for each in found] == [
        (at(each.started), None if each.ended is None else at(each.ended), at(each.last_outside), each.peak_c,
         at(each.peak_at))
        for each in naive
    ]  # fmt: skip
    for one, other in zip(found, naive, strict=True):
        assert (one.outside_seconds, one.gap_seconds) == (other.outside * 60, other.gap * 60)
        assert one.area_kelvin_minutes == pytest.approx(other.area_kelvin_minutes, rel=1e-9)
        assert one.mkt_c == (None if other.mkt_c is None else pytest.approx(other.mkt_c, rel=1e-9))
        assert sum(end - begin for begin, end in one.outside_pieces) == one.outside_seconds * 1_000_000
