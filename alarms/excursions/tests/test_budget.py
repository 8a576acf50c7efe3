"""Cumulative time outside within a window, against a naive implementation that counts second by second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.excursions.budget import Violation, violations


def test_a_violation_starts_when_the_allowed_time_is_reached_and_ends_below_it() -> None:
    # Outside for 3 and for 3, of which 5 are allowed in any 10.
    assert violations([(0, 3), (5, 8)], allowed_us=5, window_us=10, since_us=0, until_us=30) == [Violation(7, 11, 6)]


def test_less_than_the_allowed_time_is_no_violation() -> None:
    assert violations([(0, 3), (20, 23)], allowed_us=5, window_us=10, since_us=0, until_us=40) == []


def test_reaching_the_allowed_time_is_a_violation() -> None:
    (found,) = violations([(0, 5)], allowed_us=5, window_us=10, since_us=0, until_us=20)
    assert (found.started_us, found.peak_us) == (5, 5)


def test_an_ongoing_violation_has_no_end() -> None:
    assert violations([(0, 9)], allowed_us=5, window_us=10, since_us=0, until_us=9) == [Violation(5, None, 9)]


def test_a_violation_that_began_before_starts_at_the_first_instant() -> None:
    assert violations([(0, 9)], allowed_us=5, window_us=10, since_us=8, until_us=9) == [Violation(8, None, 9)]


pieces = st.lists(st.integers(0, 60), max_size=12, unique=True).map(
    lambda ends: list(zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False))
)


@given(pieces=pieces, allowed=st.integers(1, 20), window=st.integers(1, 25), until=st.integers(0, 90))
def test_every_instant_is_in_a_violation_if_and_only_if_the_budget_was_exceeded(
    pieces: list[tuple[int, int]], allowed: int, window: int, until: int
) -> None:
    found = violations(pieces, allowed_us=allowed, window_us=window, since_us=0, until_us=until)

    def used_at(instant: int) -> int:
        return sum(max(min(end, instant) - max(begin, instant - window), 0) for begin, end in pieces)

    for instant in range(until + 1):
        is_within = any(
            each.started_us <= instant and (each.ended_us is None or instant <= each.ended_us) for each in found
        )
        assert is_within == (used_at(instant) >= allowed)
    for each in found:
        end = until if each.ended_us is None else each.ended_us
        assert each.peak_us == pytest.approx(max(used_at(instant) for instant in range(each.started_us, end + 1)))
