"""When a message that could not be delivered is tried again."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.notifications.backoff import CAP_SECONDS, FIRST_RETRY_SECONDS, GIVE_UP_AFTER, next_attempt, retry_seconds

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
seeds = st.integers(0, 1_000_000)


@given(st.integers(1, 10_000), seeds)
def test_waits_double_up_to_an_hour_and_are_spread_by_a_quarter(attempts, seed):
    meant = min(CAP_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(attempts - 1, 20))
    assert 0.75 * meant <= retry_seconds(attempts, random=Random(seed)) <= 1.25 * meant


@given(st.integers(1, 100), st.integers(0, 86_400), seeds)
def test_nobody_is_asked_again_sooner_than_they_wished(attempts, asked_for, seed):
    assert retry_seconds(attempts, random=Random(seed), retry_after_seconds=asked_for) >= asked_for


def test_only_a_failed_attempt_is_waited_after():
    with pytest.raises(ValueError, match="failed attempt"):
        retry_seconds(0, random=Random(1))


@given(seeds)
def test_attempts_go_on_for_three_days_and_then_end(seed):
    random, now, attempts = Random(seed), NOW, 0
    while now is not None:
        attempts, last = attempts + 1, now
        now = next_attempt(attempts, now, NOW, random=random)
    assert NOW + GIVE_UP_AFTER - timedelta(hours=1.25) <= last <= NOW + GIVE_UP_AFTER
    assert 65 <= attempts <= 100
