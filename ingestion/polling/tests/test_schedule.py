"""When a source is polled next."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.polling.claims import next_due

source_ids = st.integers(min_value=1, max_value=2**31)
intervals = st.integers(min_value=1, max_value=7 * 24 * 3600)
instants = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - the strategy takes naive bounds and adds the zones
    max_value=datetime(2060, 1, 1),  # noqa: DTZ001
    timezones=st.timezones(),
)


@given(source_ids, intervals, instants)
def test_the_next_due_time_is_at_most_one_interval_later(source_id: int, interval: int, after: datetime) -> None:
    due = next_due(source_id, interval, after)

    assert after < due <= after.astimezone(UTC) + timedelta(seconds=interval)


@given(source_ids, intervals, instants, st.integers(min_value=0, max_value=10**12))
def test_due_times_differ_by_whole_intervals(source_id: int, interval: int, after: datetime, microseconds: int) -> None:
    later = after.astimezone(UTC) + timedelta(microseconds=microseconds)

    apart = next_due(source_id, interval, later) - next_due(source_id, interval, after)

    assert apart >= timedelta(0)
    assert apart % timedelta(seconds=interval) == timedelta(0)


@given(source_ids, intervals, instants)
def test_following_the_grid_misses_no_slot(source_id: int, interval: int, after: datetime) -> None:
    due = next_due(source_id, interval, after)

    assert next_due(source_id, interval, due) == due + timedelta(seconds=interval)
    assert next_due(source_id, interval, due - timedelta(microseconds=1)) == due


def test_slots_missed_during_an_outage_are_skipped() -> None:
    before = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    due = next_due(7, 300, before)

    after_outage = next_due(7, 300, due + timedelta(days=3, seconds=1))

    assert after_outage == due + timedelta(days=3, seconds=300)


def test_a_grid_never_changes_between_versions() -> None:
    # Written down on purpose: another grid would move every source's polls on an upgrade.
    assert next_due(1, 300, datetime(2026, 11, 23, tzinfo=UTC)) == datetime(2026, 11, 23, 0, 1, 11, 773504, tzinfo=UTC)


def test_ten_thousand_sources_are_due_evenly_over_their_interval() -> None:
    start = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

    by_second = Counter(int((next_due(number, 60, start) - start).total_seconds()) for number in range(1, 10_001))

    # 10,000 over 60 seconds is 167 a second; a fair spread stays within five standard deviations of 13.
    assert set(by_second) <= set(range(61))
    assert max(by_second.values()) < 167 + 65
    assert min(by_second[second] for second in range(60)) > 167 - 65


def test_a_naive_time_or_an_interval_of_zero_is_rejected() -> None:
    with pytest.raises(ValueError, match="aware"):
        next_due(1, 60, datetime(2026, 11, 23))  # noqa: DTZ001
    with pytest.raises(ValueError, match="interval"):
        next_due(1, 0, datetime(2026, 11, 23, tzinfo=UTC))
