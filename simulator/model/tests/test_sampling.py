from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.base.instants import SECOND
from simulator.model.sampling import Grid

grids = st.builds(
    Grid.of,
    unit_key=st.integers(0, 2**64 - 1),
    interval_seconds=st.integers(1, 7_200),
    jitter_seconds=st.floats(0.0, 4_000.0),
)
instants_us = st.integers(0, 4_000_000_000 * SECOND)


@given(grids, st.integers(-(10**6), 10**9))
def test_instants_are_in_the_order_of_their_indexes_a_second_apart_or_more(grid: Grid, index: int) -> None:
    instants = grid.instants(np.arange(index, index + 50, dtype=np.int64))
    assert np.diff(instants).min() >= SECOND - 2


@given(grids, instants_us, st.integers(0, 100_000 * SECOND))
def test_bounds_hold_exactly_the_instants_of_the_span(grid: Grid, start_us: int, length_us: int) -> None:
    first, last = grid.bounds(start_us, start_us + length_us)
    instants = grid.instants(np.arange(first - 1, last + 1, dtype=np.int64))
    assert instants[0] < start_us
    assert instants[-1] >= start_us + length_us
    inside = instants[1:-1]
    assert ((inside >= start_us) & (inside < start_us + length_us)).all()


@given(grids, instants_us)
def test_the_last_instant_before_another_is_the_nearest_one_before_it(grid: Grid, instant_us: int) -> None:
    index = grid.last_before(instant_us)
    before, after = grid.instants(np.array([index, index + 1], dtype=np.int64))
    assert before < instant_us <= after


def test_without_jitter_the_interval_is_kept_to_the_microsecond() -> None:
    instants = Grid.of(5, 229, 0.0).instants(np.arange(1_000, dtype=np.int64))
    assert set(np.diff(instants).tolist()) == {229 * SECOND}
