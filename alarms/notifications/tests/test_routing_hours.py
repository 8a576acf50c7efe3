"""The hours of a rule."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.notifications.routing import Hours

LONDON, AUCKLAND = ZoneInfo("Europe/London"), ZoneInfo("Pacific/Auckland")
WORKING_DAYS = frozenset(range(5))
OFFICE = Hours(WORKING_DAYS, time(8), time(17))
NIGHTS = Hours(WORKING_DAYS, time(22), time(6))
# 2026-11-23 is a Monday.
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "day", "clock", "contains"),
    [
        (OFFICE, 0, time(7, 59, 59), False),
        (OFFICE, 0, time(8), True),
        (OFFICE, 0, time(16, 59, 59), True),
        (OFFICE, 0, time(17), False),
        (OFFICE, 5, time(12), False),
        (NIGHTS, 0, time(5), False),  # of Sunday's night
        (NIGHTS, 0, time(22), True),
        (NIGHTS, 1, time(5, 59), True),
        (NIGHTS, 1, time(6), False),
        (NIGHTS, 5, time(5), True),  # of Friday's night
        (NIGHTS, 5, time(23), False),
        (Hours(), 6, time(3), True),
        (Hours(frozenset({6})), 6, time(3), True),
        (Hours(frozenset({6})), 0, time(3), False),
    ],
)
def test_hours_include_their_start_and_exclude_their_end(hours: Hours, day: int, clock: time, contains: bool) -> None:
    instant = datetime.combine(MONDAY.date() + timedelta(days=day), clock, LONDON)
    assert hours.contains(instant, LONDON) is contains


def test_hours_are_those_of_the_facility() -> None:
    assert OFFICE.contains(datetime(2026, 11, 23, 21, tzinfo=UTC), AUCKLAND)
    assert not OFFICE.contains(datetime(2026, 11, 23, 21, tzinfo=UTC), LONDON)


def test_hours_follow_daylight_saving_time() -> None:
    assert not OFFICE.contains(datetime(2026, 10, 23, 16, 30, tzinfo=UTC), LONDON)
    assert OFFICE.contains(datetime(2026, 10, 26, 16, 30, tzinfo=UTC), LONDON)


clocks = st.times()
instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
days = st.frozensets(st.integers(0, 6), min_size=1)


@given(instants, clocks, clocks, days)
def test_a_range_and_its_complement_make_a_day(
    instant: datetime, one: time, other: time, weekdays: frozenset[int]
) -> None:
    """At any instant exactly one of a range and its complement applies; weekdays count where the range begins."""
    if one == other:
        return
    every_day = frozenset(range(7))
    span, rest = Hours(every_day, one, other), Hours(every_day, other, one)
    assert span.contains(instant, LONDON) != rest.contains(instant, LONDON)
    assert not Hours(weekdays, one, other).contains(instant, LONDON) or span.contains(instant, LONDON)


@given(instants, clocks, days)
def test_equal_start_and_end_make_a_whole_day(instant: datetime, clock: time, weekdays: frozenset[int]) -> None:
    began = instant.astimezone(LONDON)
    day = began.date() if began.time() >= clock else began.date() - timedelta(days=1)
    assert Hours(weekdays, clock, clock).contains(instant, LONDON) == (day.weekday() in weekdays)
