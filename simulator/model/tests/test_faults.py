from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulator.base.instants import HOUR, MINUTE, SECOND
from simulator.base.seeded_random import Floats
from simulator.conftest import NOON, NOON_US
from simulator.model.faults import Fault, FaultError, clock_segments, fault_from, make_fault
from simulator.model.fleet import Customer
from simulator.model.series import UnitSeries
from simulator.model.thermal import ambient_c

UNIT = "unit_Z_1_1"


@pytest.fixture
def series(freezer: Customer) -> UnitSeries:
    return UnitSeries.of(7, freezer, *next(freezer.located_units()))


def fault(kind: str, minutes: float = 60.0, *, start: datetime = NOON, offset_seconds: float = 0.0) -> Fault:
    return make_fault(UNIT, kind, start, minutes, offset_seconds)


def temperatures(series: UnitSeries, *faults: Fault, start_us: int = NOON_US, end_us: int = NOON_US + HOUR) -> Floats:
    return series.between(start_us, end_us, faults).thousandths / 1_000


def test_a_fault_changes_nothing_before_it_begins(series: UnitSeries) -> None:
    before = {"start_us": NOON_US - HOUR, "end_us": NOON_US}
    faults = [fault(kind) for kind in ("door_open", "compressor_failure", "sensor_dead", "power_cut", "sensor_stuck")]
    assert (temperatures(series, *faults, **before) == temperatures(series, **before)).all()


def test_a_dead_compressor_lets_the_room_rise_to_ambient_with_its_time_constant(series: UnitSeries) -> None:
    hours = 40
    rows = series.between(NOON_US, NOON_US + hours * HOUR, [fault("compressor_failure", hours * 60)])
    ambient = ambient_c(rows.sampled_us)
    after = (rows.sampled_us - NOON_US) / SECOND
    expected = ambient + (-20.0 - ambient) * np.exp(-after / series.room.time_constant_seconds)
    assert np.abs(rows.thousandths / 1_000 - expected).max() < 2.5
    assert np.abs(rows.thousandths / 1_000 - expected)[-60:].max() < 0.3


def test_a_room_recovers_after_its_compressor_is_repaired(series: UnitSeries) -> None:
    failure = fault("compressor_failure", 120)
    at_the_end = temperatures(series, failure, start_us=NOON_US + 119 * MINUTE, end_us=NOON_US + 121 * MINUTE)
    a_day_later = temperatures(series, failure, start_us=NOON_US + 24 * HOUR, end_us=NOON_US + 25 * HOUR)
    assert at_the_end.max() > -10.0
    assert np.abs(a_day_later + 20.0).max() < 3.0


def test_a_door_left_open_warms_the_room_faster_but_not_wholly(series: UnitSeries) -> None:
    door = temperatures(series, fault("door_open", 600), end_us=NOON_US + 10 * HOUR)
    compressor = temperatures(series, fault("compressor_failure", 600), end_us=NOON_US + 10 * HOUR)
    assert door[15] > compressor[15]
    assert door[-1] < compressor[-1] - 5.0


def test_a_stuck_sensor_repeats_what_it_showed_last(series: UnitSeries) -> None:
    last = temperatures(series, start_us=NOON_US - 2 * MINUTE, end_us=NOON_US)[-1]
    assert set(temperatures(series, fault("sensor_stuck")).tolist()) == {last}


def test_a_sensor_stuck_twice_stays_at_what_it_showed_first(series: UnitSeries) -> None:
    first, second = fault("sensor_stuck"), fault("sensor_stuck", start=NOON + timedelta(minutes=30))
    last = temperatures(series, start_us=NOON_US - 2 * MINUTE, end_us=NOON_US)[-1]
    assert set(temperatures(series, first, second, end_us=NOON_US + 80 * MINUTE).tolist()) == {last}


def test_a_stuck_sensor_hides_what_the_room_does(series: UnitSeries) -> None:
    faults = [fault("sensor_stuck"), fault("compressor_failure", 120)]
    assert len(set(temperatures(series, *faults).tolist())) == 1
    after = temperatures(series, *faults, start_us=NOON_US + HOUR, end_us=NOON_US + HOUR + 10 * MINUTE)
    assert after.min() > -15.0


def test_a_dead_sensor_gives_rows_without_a_measurement(series: UnitSeries) -> None:
    rows = series.between(NOON_US, NOON_US + HOUR, [fault("sensor_dead")])
    assert rows.size == 60
    assert not rows.measured.any()
    assert not rows.quality.any()


def test_a_power_cut_leaves_no_rows_for_as_long_as_it_lasts(series: UnitSeries) -> None:
    rows = series.between(NOON_US, NOON_US + HOUR, [fault("power_cut", 20)])
    assert rows.size == 40
    assert rows.sampled_us.min() >= NOON_US + 20 * MINUTE


def test_a_wrong_clock_shifts_timestamps_and_nothing_else(series: UnitSeries) -> None:
    right = series.between(NOON_US, NOON_US + HOUR)
    wrong = series.between(NOON_US, NOON_US + HOUR, [fault("clock_wrong", offset_seconds=-7_200)])
    assert (wrong.thousandths == right.thousandths).all()
    assert set((wrong.recorded_us - right.recorded_us).tolist()) == {-7_200 * SECOND + 1}


def test_a_shifted_row_never_lands_on_another_rows_instant(series: UnitSeries) -> None:
    wrong = fault("clock_wrong", offset_seconds=-1_800)
    recorded = series.between(NOON_US - HOUR, NOON_US + HOUR, [wrong]).recorded_us.tolist()
    assert len(set(recorded)) == len(recorded)


def test_of_two_wrong_clocks_the_later_one_holds() -> None:
    first = fault("clock_wrong", 60, offset_seconds=60)
    second = fault("clock_wrong", 10, start=NOON + timedelta(minutes=20), offset_seconds=-60)
    assert clock_segments([second, first]) == [
        (NOON_US, NOON_US + 20 * MINUTE, 60 * SECOND + 1),
        (NOON_US + 20 * MINUTE, NOON_US + 30 * MINUTE, -60 * SECOND + 1),
        (NOON_US + 30 * MINUTE, NOON_US + HOUR, 60 * SECOND + 1),
    ]


def test_a_fault_without_a_start_begins_now() -> None:
    made = fault_from(UNIT, {"kind": "door_open", "duration_minutes": 30}, NOON)
    assert made.document() == {
        "unit": UNIT,
        "kind": "door_open",
        "start": "2026-11-23T12:00:00+00:00",
        "end": "2026-11-23T12:30:00+00:00",
        "duration_minutes": 30.0,
    }


def test_a_fault_may_begin_in_the_past() -> None:
    made = fault_from(UNIT, {"kind": "power_cut", "duration_minutes": 1, "start": "2020-01-01T00:00:00"}, NOON)
    assert made.document()["start"] == datetime(2020, 1, 1, tzinfo=UTC).isoformat()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"duration_minutes": 5}, "kind must be"),
        ({"kind": "earthquake", "duration_minutes": 5}, "kind must be"),
        ({"kind": ["door_open"], "duration_minutes": 5}, "kind must be"),
        ({"kind": "door_open"}, "duration_minutes is missing"),
        ({"kind": "door_open", "duration_minutes": 0}, "above 0"),
        ({"kind": "door_open", "duration_minutes": "long"}, "must be a number"),
        ({"kind": "door_open", "duration_minutes": True}, "must be a number"),
        ({"kind": "door_open", "duration_minutes": float("nan")}, "must be a number"),
        ({"kind": "door_open", "duration_minutes": 5, "start": "soon"}, "ISO 8601"),
        ({"kind": "door_open", "duration_minutes": 5, "start": 5}, "ISO 8601"),
        ({"kind": "door_open", "duration_minutes": 5, "offset_seconds": 5}, "clock_wrong only"),
        ({"kind": "clock_wrong", "duration_minutes": 5}, "needs offset_seconds"),
        ({"kind": "clock_wrong", "duration_minutes": 5, "offset_seconds": 90_000}, "needs offset_seconds"),
        ({"kind": "door_open", "duration_minutes": 5, "starts": "now"}, "unknown starts"),
        ({"kind": "door_open", "duration_minutes": 5, "start": "9999-12-31T23:59:00"}, "outside the calendar"),
    ],
)
def test_an_invalid_fault_is_rejected_with_the_reason(values: dict[str, object], reason: str) -> None:
    with pytest.raises(FaultError, match=reason):
        fault_from(UNIT, values, NOON)
