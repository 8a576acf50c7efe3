"""When a failed operation is retried."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backoff import backoff_seconds

seeds = st.integers(min_value=0, max_value=2**32)


@given(st.integers(min_value=1, max_value=10**6), st.floats(min_value=1, max_value=15), seeds)
def test_waits_double_up_to_an_hour_with_a_quarter_of_jitter(failures: int, first: float, seed: int) -> None:
    expected = min(3600, first * 2 ** min(failures - 1, 40))

    wait = backoff_seconds(failures, first_seconds=first, random=Random(seed))

    assert 0.75 * expected <= wait <= 1.25 * expected


def test_the_first_wait_is_15_seconds_by_default() -> None:
    assert 0.75 * 15 <= backoff_seconds(1, random=Random(1)) <= 1.25 * 15


def test_two_clients_that_fail_together_do_not_return_together() -> None:
    assert backoff_seconds(3, random=Random(1)) != backoff_seconds(3, random=Random(2))


@given(st.integers(min_value=1, max_value=100), st.integers(min_value=0, max_value=86_400), seeds)
def test_retry_after_is_the_minimum(failures: int, retry_after: int, seed: int) -> None:
    assert backoff_seconds(failures, random=Random(seed), retry_after_seconds=retry_after) >= retry_after


@given(st.integers(min_value=-10, max_value=10**9), seeds)
def test_retry_after_is_capped_at_a_day(retry_after: int, seed: int) -> None:
    wait = backoff_seconds(1, random=Random(seed), retry_after_seconds=retry_after)

    assert wait >= min(retry_after, 86_400)
    assert wait <= max(75, 1.25 * min(retry_after, 86_400))


def test_without_a_failure_there_is_no_wait() -> None:
    with pytest.raises(ValueError, match="failures"):
        backoff_seconds(0, random=Random(1))
