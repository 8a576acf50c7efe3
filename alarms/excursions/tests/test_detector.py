"""The definition of an excursion, case by case."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.excursions.detected import EffectiveLimits, SensorReading
from alarms.excursions.detector import Detector, detect_excursions, group_by_instant
from alarms.tests.evaluation import START, at, found_in, series
from alarms.thresholds import Limits, SensorPolicy, Severity
from tests.responses import Json


def test_readings_within_the_limits_are_no_excursion() -> None:
    assert found_in(series(5, 2, 8, 5)) == []


def test_an_excursion_lasts_from_the_first_reading_outside_to_the_first_back_within() -> None:
    (found,) = found_in(series(5, 9, 10, 8.5, 7))
    assert (found.started_at, found.ended_at, found.last_outside_at) == (at(5), at(20), at(15))
    assert (found.peak_c, found.peak_at, found.severity) == (10, at(10), Severity.WARNING)
    assert found.outside_seconds == 15 * 60
    assert found.area_kelvin_minutes == pytest.approx(5 * (1 + 2 + 0.5))
    assert found.gap_seconds == 0


def test_an_excursion_without_a_reading_that_ends_it_is_ongoing() -> None:
    (found,) = found_in(series(5, 1, 0))
    assert found.ended_at is None
    assert found.clears_at is None
    assert found.peak_c == 0


def test_a_single_reading_outside_is_an_excursion_until_the_next() -> None:
    (found,) = found_in(series(5, 9, 5))
    assert (found.started_at, found.ended_at) == (at(5), at(10))
    assert found.alarm_at is None


def test_exactly_at_a_limit_is_within_unless_the_thresholds_are_inclusive() -> None:
    assert found_in(series(8, 2)) == []
    (found,) = found_in(series(8, 2), is_inclusive=True)
    assert (found.started_at, found.last_outside_at) == (at(0), at(5))


def test_a_rounding_error_of_another_scale_is_at_the_limit() -> None:
    assert found_in(series(8.000000000000002)) == []
    assert len(found_in(series(7.999999999999998), is_inclusive=True)) == 1


def test_beyond_the_critical_limit_it_is_critical() -> None:
    (found,) = found_in(series(5, 9, 12, 9, 5), high_critical_c=11.0)
    assert found.severity is Severity.CRITICAL
    (found,) = found_in(series(5, 9, 5), high_critical_c=11.0)
    assert found.severity is Severity.WARNING


def test_critical_limits_alone_are_limits() -> None:
    (found,) = found_in(series(9), high_warning_c=None, high_critical_c=8.0)
    assert found.severity is Severity.CRITICAL


def test_the_delay_is_completed_by_a_reading_outside() -> None:
    (found,) = found_in(series(9, 9, 9, 9, 5), high_delay_seconds=600)
    assert found.alarm_at == at(10)
    (found,) = found_in(series(9, 9, 5), high_delay_seconds=600)
    assert found.alarm_at is None


def test_too_warm_and_too_cold_have_delays_of_their_own() -> None:
    (found,) = found_in(series(1, 1, 1), high_delay_seconds=3600, low_delay_seconds=300)
    assert found.alarm_at == at(5)


CRITICAL_ABOVE_11: dict[str, object] = {
    "high_critical_c": 11.0,
    "high_delay_seconds": 1_800,
    "high_critical_delay_seconds": 600,
    "low_critical_c": -1.0,
    "low_delay_seconds": 1_800,
    "low_critical_delay_seconds": 300,
}


def alarms_in(*temperatures_c: float | None, **limits: object) -> list[tuple[datetime | None, datetime | None]]:
    """Return when the alarm of each excursion opens and becomes critical; readings are five minutes apart."""
    found = found_in(series(*temperatures_c), **(CRITICAL_ABOVE_11 | limits))
    return [(each.alarm_at, each.critical_alarm_at) for each in found]


def test_the_critical_delay_begins_with_the_crossing_of_the_critical_limit_and_opens_the_alarm() -> None:
    assert alarms_in(9, 9, 12, 12, 12, 12) == [(at(20), at(20))]


def test_too_cold_has_a_critical_delay_of_its_own() -> None:
    assert alarms_in(1, -2, -2, -2) == [(at(10), at(10))]


def test_the_critical_delay_never_ends_later_than_the_warning_delay() -> None:
    assert alarms_in(9, 9, 9, 9, 9, 12, 12) == [(at(30), at(30))]
    assert alarms_in(12, 12, 12, high_critical_delay_seconds=3_600, high_delay_seconds=600) == [(at(10), at(10))]


def test_an_open_alarm_becomes_critical_with_the_first_reading_beyond_the_critical_limit() -> None:
    assert alarms_in(9, 9, 9, 9, 9, 9, 9, 9, 12) == [(at(30), at(40))]


def test_a_reading_that_is_not_critical_restarts_the_critical_delay_only() -> None:
    assert alarms_in(12, 12, 9, 12, 9, 9, 9) == [(at(30), None)]
    assert alarms_in(12, 12, 9, 12, 9, 9, 12) == [(at(30), at(30))]


def test_back_within_by_less_than_the_margin_is_not_over() -> None:
    (found,) = found_in(series(9, 7.8, 9, 7, 5), clearing_margin_k=0.5)
    assert (found.started_at, found.ended_at) == (at(0), at(15))
    assert found.outside_seconds == 10 * 60


def test_a_margin_wider_than_the_limits_are_apart_clears_in_the_middle() -> None:
    (found,) = found_in(series(9, 6, 5), clearing_margin_k=50.0)
    assert found.ended_at == at(10)


def test_a_return_within_the_clearing_delay_continues_the_excursion() -> None:
    (found,) = found_in(series(9, 5, 9, 5), clearing_delay_seconds=301)
    assert (found.started_at, found.ended_at, found.clears_at) == (at(0), at(15), at(15) + timedelta(seconds=301))
    assert found.outside_pieces == [
        [int(at(begin).timestamp()) * 10**6, int(at(begin + 5).timestamp()) * 10**6] for begin in (0, 10)
    ]


def test_a_return_after_the_clearing_delay_is_another_excursion() -> None:
    assert len(found_in(series(9, 5, 9, 5), clearing_delay_seconds=300)) == 2


def test_a_gap_inside_an_excursion_is_counted_and_does_not_end_it() -> None:
    readings = [*series(9, 9), *series(9, 5, begin=65)]
    (found,) = found_in(readings, gap_limit_seconds=900)
    assert (found.started_at, found.ended_at) == (at(0), at(70))
    assert found.gap_seconds == (60 - 15) * 60
    assert found.outside_seconds == (5 + 15 + 5) * 60


def test_a_fault_neither_begins_nor_ends_an_excursion() -> None:
    (found,) = found_in(series(9, None, None, 9, 5))
    assert (found.started_at, found.ended_at, found.gap_seconds) == (at(0), at(20), 600)
    assert found_in(series(None, None, 5)) == []


def test_the_mean_kinetic_temperature_of_an_excursion_is_weighted_by_time() -> None:
    (found,) = found_in(series(20, 25, 30, 5))
    assert found.mkt_c == pytest.approx(25.8582, abs=5e-5)


def test_of_several_sensors_any_outside_counts() -> None:
    readings = sorted([*series(5, 5, 5), *series(5, 9, 5, sensor_id=2)])
    (found,) = found_in(readings)
    assert (found.started_at, found.ended_at, found.peak_c) == (at(5), at(10), 9)


def test_a_sensor_within_does_not_end_the_excursion_of_another() -> None:
    readings = sorted([*series(9, sensor_id=2), *series(5, begin=1), *series(5, sensor_id=2, begin=5)])
    (found,) = found_in(readings)
    assert found.ended_at == at(5)


def test_the_mean_of_two_sensors_counts() -> None:
    readings = sorted([*series(5, 5, 5), *series(5, 10, 13, sensor_id=2)])
    (found,) = found_in(readings, sensor_policy=SensorPolicy.MEAN)
    assert (found.started_at, found.peak_c) == (at(10), 9)


def test_only_the_reference_sensor_counts() -> None:
    readings = sorted([*series(20, 20, 20), *series(5, 9, 5, sensor_id=2)])
    (found,) = found_in(readings, sensor_policy=SensorPolicy.NAMED, named_sensor_id=2)
    assert (found.started_at, found.ended_at) == (at(5), at(10))


def test_a_reading_is_evaluated_by_the_limits_in_force_at_its_time() -> None:
    versions = [
        EffectiveLimits(START, Limits(high_warning_c=8.0), 1),
        EffectiveLimits(at(10), Limits(high_warning_c=12.0), 2),
    ]
    found = detect_excursions(series(9, 9, 9, 13), versions)
    assert [(each.started_at, each.ended_at, each.version_id) for each in found] == [
        (at(0), at(10), 1),
        (at(15), None, 2),
    ]


temperatures = st.one_of(st.none(), st.integers(0, 12))
limits = st.builds(
    Limits,
    low_warning_c=st.sampled_from([None, 2.0]),
    high_warning_c=st.sampled_from([None, 8.0]),
    high_critical_c=st.sampled_from([None, 10.0]),
    is_inclusive=st.booleans(),
    high_delay_seconds=st.sampled_from([0, 600]),
    high_critical_delay_seconds=st.sampled_from([0, 300, 1_200]),
    clearing_margin_k=st.sampled_from([0.0, 1.0]),
    clearing_delay_seconds=st.sampled_from([0, 700]),
    gap_limit_seconds=st.sampled_from([400, 900]),
    sensor_policy=st.sampled_from([SensorPolicy.ANY, SensorPolicy.MEAN]),
)
readings_of_two = st.dictionaries(st.tuples(st.integers(0, 60), st.integers(1, 2)), temperatures, max_size=40).map(
    lambda readings: [SensorReading(at(minute), sensor, each) for (minute, sensor), each in sorted(readings.items())]
)


@given(readings=readings_of_two, limits=limits)
def test_excursions_are_disjoint_in_order_and_consistent(readings: list[SensorReading], limits: Limits) -> None:
    found = detect_excursions(readings, [EffectiveLimits(START, limits)])
    for each in found:
        lasted = ((each.ended_at or readings[-1].recorded_at) - each.started_at).total_seconds()
        assert each.started_at <= each.peak_at <= each.last_outside_at <= (each.ended_at or each.last_outside_at)
        assert each.outside_seconds + each.gap_seconds <= lasted + 1e-6
        assert each.known.seconds + each.gap_seconds == pytest.approx(lasted)
        assert limits.severity_of(each.peak_c) is not None
        assert each.alarm_at is None or each.alarm_at >= each.started_at
        assert each.critical_alarm_at is None or each.critical_alarm_at >= (each.alarm_at or each.critical_alarm_at)
    for before, after in pairwise(found):
        assert before.clears_at is not None
        assert before.clears_at <= after.started_at


@given(readings=readings_of_two, limits=limits, cuts=st.sets(st.integers(0, 40), max_size=5))
def test_a_detector_restored_from_its_state_finds_the_same(
    readings: list[SensorReading], limits: Limits, cuts: set[int]
) -> None:
    versions = [EffectiveLimits(START, limits)]
    detector, found = Detector(versions), []
    for number, (instant, taken) in enumerate(group_by_instant(readings)):
        if number in cuts:
            found += detector.found
            detector = Detector.load_state(detector.dump_state(), versions)
        detector.step(instant, taken)
    assert [*found, *detector.all_excursions()] == detect_excursions(readings, versions)


def test_the_saved_state_keeps_the_field_names_stored_in_excursions() -> None:
    detector = Detector([EffectiveLimits(START, Limits(high_warning_c=8.0))])
    for instant, rows in group_by_instant(series(5, 9)):
        detector.step(instant, rows)
    state: Json = detector.dump_state()
    assert set(state) == {"current", "sensors", "at", "standing", "critical_since", "after_end", "measured_c"}
    assert set(state["standing"]) == {"since", "until", "temperature_c", "severity", "beyond_k", "budget_side"}
    known_time = {"seconds", "arrhenius", "gap_seconds"}
    pieces = {"outside_pieces", "high_pieces", "low_pieces"}
    assert set(state["after_end"]) == known_time | pieces | {"area_kelvin_minutes", "outside_seconds"}


def test_a_state_saved_without_the_newer_fields_can_be_loaded() -> None:
    versions = [EffectiveLimits(START, Limits(high_warning_c=8.0, clearing_delay_seconds=900))]
    detector = Detector(versions)
    for instant, rows in group_by_instant(series(9, 5)):
        detector.step(instant, rows)
    state: Json = detector.dump_state()
    del state["measured_c"]
    del state["standing"]["budget_side"], state["current"]["high_pieces"], state["current"]["low_pieces"]
    for name in ("area_kelvin_minutes", "outside_seconds", "outside_pieces", "high_pieces", "low_pieces"):
        del state["after_end"][name]
    restored = Detector.load_state(state, versions)
    for each in (detector, restored):
        each.step(at(10), [SensorReading(at(10), 1, 9.0)])
    assert restored.all_excursions() == detector.all_excursions()
