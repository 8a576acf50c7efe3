"""Cutting periods: nothing is left out, nothing is counted twice, and a day is a day at the facility."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readings.storage.local_days import start_of_day, starts_of_days_us
from readings.time_ranges import DAY, HOUR, Days, TimeRange, cut_days, cut_hours

LONDON = ZoneInfo("Europe/London")
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Europe/London",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "Pacific/Apia",
    )
]
instants = st.datetimes(datetime(2010, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
lengths = st.timedeltas(timedelta(0), timedelta(days=10))


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def test_a_period_that_ends_before_it_starts_is_rejected() -> None:
    with pytest.raises(ValueError, match="can't end"):
        TimeRange(at(2026, 1, 2), at(2026, 1, 1))


def test_days_are_local_days() -> None:
    days, rests = cut_days(TimeRange(at(2026, 6, 1, 22, 30), at(2026, 6, 4, 1)), LONDON)
    assert days == Days(date(2026, 6, 2), date(2026, 6, 4))
    assert rests == [
        TimeRange(at(2026, 6, 1, 22, 30), at(2026, 6, 1, 23)),
        TimeRange(at(2026, 6, 3, 23), at(2026, 6, 4, 1)),
    ]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_day_has_23_or_25_hours_when_clocks_change(day: date, hours: int) -> None:
    assert start_of_day(day + DAY, LONDON) - start_of_day(day, LONDON) == hours * HOUR


@given(instants, lengths, st.sampled_from(ZONES))
def test_days_and_remainders_make_up_the_period(start: datetime, length: timedelta, zone: ZoneInfo) -> None:
    time_range = TimeRange(start, start + length)
    days, rests = cut_days(time_range, zone)
    pieces = [*rests]
    if days.first < days.end:
        pieces.append(TimeRange(start_of_day(days.first, zone), start_of_day(days.end, zone)))
    assert_pieces_make_up(pieces, time_range)


@given(instants, lengths)
def test_hours_and_remainders_make_up_the_period(start: datetime, length: timedelta) -> None:
    time_range = TimeRange(start, start + length)
    hours, rests = cut_hours(time_range)
    assert hours.start.minute == hours.end.minute == 0
    assert_pieces_make_up([hours, *rests] if not hours.is_empty else rests, time_range)


def assert_pieces_make_up(pieces: list[TimeRange], time_range: TimeRange) -> None:
    pieces = sorted(pieces, key=lambda piece: piece.start)
    assert all(not piece.is_empty for piece in pieces)
    if not pieces:
        assert time_range.is_empty
        return
    assert (pieces[0].start, pieces[-1].end) == (time_range.start, time_range.end)
    assert all(one.end == other.start for one, other in itertools.pairwise(pieces))


@given(
    st.dates(date(2000, 1, 1), date(2199, 12, 31)), st.lists(st.integers(0, 800), max_size=5), st.sampled_from(ZONES)
)
def test_many_days_begin_when_each_of_them_does(first: date, later: list[int], zone: ZoneInfo) -> None:
    epoch, days = date(1970, 1, 1), [first + DAY * number for number in sorted(later)]
    starts = starts_of_days_us(np.array([(day - epoch).days for day in days], np.int64), zone)
    assert [at(1970, 1, 1) + timedelta(microseconds=int(start)) for start in starts] == [
        start_of_day(day, zone) for day in days
    ]
