"""Runs of readings lead a detector to the same excursions and the same state, to the last bit, as stepping does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from alarms.excursions import temperature_columns as by_column
from alarms.excursions.detected import DetectedExcursion, EffectiveLimits, SensorReading
from alarms.excursions.detector import Detector, group_by_instant
from alarms.excursions.runs import advance
from alarms.excursions.sensor_readings import SensorReadings
from alarms.tests.evaluation import START, at
from alarms.thresholds import Limits, SensorPolicy, Severity, Side

allowed = st.sampled_from([None, 60])
limits = st.builds(
    Limits,
    low_critical_c=st.sampled_from([None, 1.0]),
    low_warning_c=st.sampled_from([None, 2.0]),
    high_warning_c=st.sampled_from([None, 8.0]),
    high_critical_c=st.sampled_from([None, 10.0]),
    is_inclusive=st.booleans(),
    is_low_critical_inclusive=st.booleans(),
    high_delay_seconds=st.sampled_from([0, 600]),
    low_delay_seconds=st.sampled_from([0, 1_200]),
    high_critical_delay_seconds=st.sampled_from([0, 300, 1_200]),
    clearing_margin_k=st.sampled_from([0.0, 1.0]),
    clearing_delay_seconds=st.sampled_from([0, 700]),
    gap_limit_seconds=st.sampled_from([200, 400, 900, 3_600]),
    high_allowed_seconds=allowed,
    high_allowed_c=st.sampled_from([None, 9.0]),
    low_allowed_seconds=allowed,
    low_allowed_c=st.sampled_from([None, 1.5]),
    sensor_policy=st.sampled_from(SensorPolicy),
    named_sensor_id=st.sampled_from([1, 2]),
)
temperatures = st.sampled_from([5.0, 5.0, 7.5, 8.0, 8.123, 9.0, 10.5, 12.0, 2.0, 1.5, 0.4, None])


@st.composite
def readings(draw: DrawFn) -> list[SensorReading]:
    """Up to three sensors, of which some are read between the instants of the others, with gaps and faults."""
    every = draw(st.sampled_from([1.0, 3.3, 7.0, 20.0]))
    rows = draw(
        st.dictionaries(
            st.tuples(st.integers(0, 80), st.sampled_from([1, 1, 2, 3])), temperatures, min_size=1, max_size=120
        )
    )
    apart = draw(st.sampled_from([0.0, 0.37]))
    return sorted(SensorReading(at(n * every + apart * sensor), sensor, each) for (n, sensor), each in rows.items())


versions = st.lists(st.tuples(st.sampled_from([0.5, 10.0, 60.0, 200.0]), limits), min_size=1, max_size=3)
State = Mapping[str, object]


def found_in_parts(
    parts: Sequence[list[SensorReading]],
    versions: Sequence[EffectiveLimits],
    retired: Mapping[int, datetime],
    *,
    is_stepping: bool,
) -> tuple[list[DetectedExcursion], list[State]]:
    """Return the excursions, and the state after each part that matters to what follows."""
    found: list[DetectedExcursion] = []
    states: list[State] = []
    detector = Detector(versions, retired)
    for part in parts:
        if is_stepping:
            for instant, taken in group_by_instant(part):
                detector.step(instant, taken)
        else:
            advance(detector, SensorReadings.of_readings(part), few=0)
        state = detector.dump_state()
        unused = {"after_end"} if detector.current is not None else {"after_end", "measured_c", "critical_since"}
        is_over = detector.current is not None and detector.current.ended_at is not None
        states.append({name: each for name, each in state.items() if is_over or name not in unused})
        found += detector.found
        detector = Detector.load_state(state, versions, retired)
    return found + detector.all_excursions(), states


@settings(max_examples=150)
@given(
    rows=readings(),
    changes=versions,
    retired=st.dictionaries(st.integers(1, 3), st.floats(0, 500).map(at), max_size=1),
    cuts=st.sets(st.integers(1, 80), max_size=2),
)
def test_runs_find_what_stepping_finds(
    rows: list[SensorReading],
    changes: list[tuple[float, Limits]],
    retired: dict[int, datetime],
    cuts: set[int],
) -> None:
    in_force, begins = [], START - timedelta(minutes=changes[0][0])
    for number, (minutes, each) in enumerate(changes):
        begins += timedelta(minutes=minutes)
        in_force.append(EffectiveLimits(begins, each, number))
    instants = [list(taken) for _, taken in group_by_instant(rows)]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(instants)), len(instants)]
    parts = [[row for taken in instants[begin:end] for row in taken] for begin, end in pairwise(bounds)]
    stepped = found_in_parts(parts, in_force, retired, is_stepping=True)
    assert found_in_parts(parts, in_force, retired, is_stepping=False) == stepped


def test_readings_of_a_retired_sensor_alone_show_that_it_was_retired() -> None:
    in_force, retired = [EffectiveLimits(START, Limits(high_warning_c=8.0))], {2: at(1)}
    rows = [SensorReading(at(n), 2, 9.0) for n in (0, 3, 4)]
    stepped = found_in_parts([rows], in_force, retired, is_stepping=True)
    assert found_in_parts([rows], in_force, retired, is_stepping=False) == stepped
    assert [each.ended_at for each in stepped[0]] == [at(1)]


@given(limits=limits, each_c=st.lists(st.floats(-1, 13) | st.sampled_from([1.0, 2.0, 8.0, 9.0, 10.0]), min_size=1))
def test_columns_are_compared_with_limits_as_single_temperatures_are(limits: Limits, each_c: list[float]) -> None:
    near_c = [c + off for c in each_c for off in (0, 4e-7, -4e-7, 5e-7, -5e-7, 6e-7, -6e-7)]
    column = np.array(near_c)
    assert by_column.are_outside(column, limits).tolist() == [limits.severity_of(c) is not None for c in near_c]
    critical = [limits.severity_of(c) is Severity.CRITICAL for c in near_c]
    assert by_column.are_critical(column, limits).tolist() == critical
    assert by_column.are_clear(column, limits).tolist() == [limits.is_clear(c) for c in near_c]
    assert by_column.beyond_k(column, limits).tolist() == [limits.beyond_k(c) for c in near_c]
    for side in Side:
        counted = [limits.budget_side_of(c) is side for c in near_c]
        assert by_column.are_counted(column, side, limits).tolist() == counted


def test_many_readings_are_processed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alarms.excursions.runs.MAX_CELLS", 50)
    rows = [SensorReading(at(n), sensor, 9.0 if n % 40 > 25 else 5.0) for n in range(200) for sensor in (1, 2)]
    in_force = [EffectiveLimits(START, Limits(high_warning_c=8.0))]
    in_parts, stepping = Detector(in_force), Detector(in_force)
    advance(in_parts, SensorReadings.of_readings(rows))
    for instant, taken in group_by_instant(rows):
        stepping.step(instant, taken)
    assert in_parts.all_excursions() == stepping.all_excursions()
    assert len(stepping.all_excursions()) == 5
