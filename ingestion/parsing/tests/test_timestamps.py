"""Timestamps in the formats of customers and data loggers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.parsing.values.time_columns import read_times
from ingestion.parsing.values.timestamps import (
    EPOCH,
    MICROSECOND,
    DayOrder,
    DayOrderDetector,
    TimeRules,
    UnreadableTime,
    microseconds,
    read_time,
)
from ingestion.parsing.values.written_times import known_zones

DAY_FIRST = TimeRules(day_order=DayOrder.DAY_FIRST)
MONTH_FIRST = TimeRules(day_order=DayOrder.MONTH_FIRST)


def formatted(value: object, rules: TimeRules = TimeRules()) -> str:  # noqa: B008
    wall = read_time(value, rules)
    return f"{EPOCH + wall.microseconds * MICROSECOND:%Y-%m-%d %H:%M:%S.%f}" + ("" if wall.is_local else " UTC")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23T10:11:11.123456", "2026-11-23 10:11:11.123456"),
        ("2026-11-23 10:11:11", "2026-11-23 10:11:11.000000"),
        (" 2026-11-23T10:11 ", "2026-11-23 10:11:00.000000"),
        ("2026/11/23 10:11:11", "2026-11-23 10:11:11.000000"),
        ("2026-11-23T10:11:11.5", "2026-11-23 10:11:11.500000"),
        ("2026-11-23T10:11:11,123", "2026-11-23 10:11:11.123000"),
        ("2026-11-23T10:11:11.123456789", "2026-11-23 10:11:11.123456"),
        ("2026-11-23T10:11:11Z", "2026-11-23 10:11:11.000000 UTC"),
        ("2026-11-23T10:11:11.123456+02:00", "2026-11-23 08:11:11.123456 UTC"),
        ("2026-11-23T10:11:11 -0530", "2026-11-23 15:41:11.000000 UTC"),
        ("2026-11-23T10:11:11+01", "2026-11-23 09:11:11.000000 UTC"),
        (1795428671, "2026-11-23 10:11:11.000000 UTC"),
        ("1795428671", "2026-11-23 10:11:11.000000 UTC"),
        (1795428671.123456, "2026-11-23 10:11:11.123456 UTC"),
        (1795428671123, "2026-11-23 10:11:11.123000 UTC"),
        ("1795428671123456", "2026-11-23 10:11:11.123456 UTC"),
    ],
)
def test_a_time_is_read(text: str | float, time: str) -> None:
    assert formatted(text) == time


@pytest.mark.parametrize(
    ("text", "rules", "time"),
    [
        ("23/11/2026 10:11", DAY_FIRST, "2026-11-23 10:11:00.000000"),
        ("5.1.2026 9:05", DAY_FIRST, "2026-01-05 09:05:00.000000"),
        ("11/23/2026 10:11:00 AM", MONTH_FIRST, "2026-11-23 10:11:00.000000"),
        ("11/23/2026 12:11:00 AM", MONTH_FIRST, "2026-11-23 00:11:00.000000"),
        ("11/23/2026 12:11 pm", MONTH_FIRST, "2026-11-23 12:11:00.000000"),
        ("05/11/2026 10:11", DAY_FIRST, "2026-11-05 10:11:00.000000"),
        ("05/11/2026 10:11", MONTH_FIRST, "2026-05-11 10:11:00.000000"),
        ("23.11.26 10h11", TimeRules("%d.%m.%y %Hh%M"), "2026-11-23 10:11:00.000000"),
        ("2026-11-23 10:11 +0100", TimeRules("%Y-%m-%d %H:%M %z"), "2026-11-23 09:11:00.000000 UTC"),
    ],
)
def test_a_loggers_time_is_read_by_day_order_or_format(text: str, rules: TimeRules, time: str) -> None:
    assert formatted(text, rules) == time


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-11-23",
        "2026-02-29 10:00",
        "2026-13-01 10:00",
        "2026-11-23 24:01",
        "2026-11-23 10:60",
        "2026-11-23T10:11:60",
        "2026-11-23T10:11:11+25:00",
        "2026-11-23T10:11:11.",
        "0000-01-01 00:00",
        "２０２６-11-23 10:11",
        "12345",
        True,
        ["2026-11-23"],
        float("nan"),
        1e300,
        "9999-12-31 24:00[Europe/Berlin]",
        "9999-12-31 24:00 Europe/Berlin",
        "9999-12-31T23:59:00-01:00[Atlantic/Azores]",
    ],
)
def test_a_value_that_is_not_a_time_is_rejected(value: object) -> None:
    with pytest.raises(UnreadableTime):
        read_time(value, TimeRules())


@pytest.mark.parametrize(
    "suffix",
    [
        "[Europe/Berlin]",
        " Europe/Berlin",
        "+01:00[Europe/Berlin]",
        "+01:00[!Europe/Berlin]",
        "+01:00[Europe/Berlin][u-ca=gregory]",
        "+01:00[!u-ca=japanese]",
        "+01:00[_further=tag]",
        "[+01:00]",
        "+0100[+01:00]",
    ],
)
def test_a_time_with_a_suffix_of_rfc_9557_is_read(suffix: str) -> None:
    assert formatted(f"2026-01-05T10:00:00{suffix}") == "2026-01-05 09:00:00.000000 UTC"


def test_a_time_in_utc_says_nothing_about_the_offset_of_its_zone() -> None:
    assert formatted("2026-01-05T10:00:00Z[Europe/Berlin]") == "2026-01-05 10:00:00.000000 UTC"


def test_the_offset_tells_which_time_of_a_repeated_hour_is_meant() -> None:
    assert formatted("2026-10-25T02:30:00+02:00[Europe/Berlin]") == "2026-10-25 00:30:00.000000 UTC"
    assert formatted("2026-10-25T02:30:00+01:00[Europe/Berlin]") == "2026-10-25 01:30:00.000000 UTC"


@pytest.mark.parametrize(
    ("suffix", "why"),
    [
        ("[localtime]", ": the zone localtime is not known, or has several meanings"),
        ("[Factory]", ": the zone Factory is not known, or has several meanings"),
        ("+01:00[Mars/Phobos]", ": the zone Mars/Phobos is not known, or has several meanings"),
        (" Mars/Phobos", ": the zone Mars/Phobos is not known, or has several meanings"),
        (
            "[Europe/Berlin][Europe/Paris]",
            ": the zone Europe/Berlin Europe/Paris is not known, or has several meanings",
        ),
        ("+01:00[!_further=tag]", ": the tag [!_further=tag] is not known, or has several meanings"),
        ("+05:00[Europe/Berlin]", ": its offset +05:00 is not that of Europe/Berlin at that time"),
        ("+01:00[+02:00]", ": its offset +01:00 is not that of +02:00 at that time"),
        (" CST", ": the zone CST is not known, or has several meanings"),
        ("x" * 200, ": it is longer than 200 characters"),
    ],
)
def test_a_suffix_that_is_not_understood_is_rejected_with_its_reason(suffix: str, why: str) -> None:
    with pytest.raises(UnreadableTime) as error:
        read_time(f"2026-01-05T10:00:00{suffix}", TimeRules())
    assert str(error.value) == why


def test_the_names_of_zones_are_found_once() -> None:
    """To find them takes milliseconds, which each row with a zone took."""
    known_zones.cache_clear()

    for minute in range(3):
        formatted(f"2026-01-05T10:0{minute}:00[Europe/Berlin]")

    assert known_zones.cache_info().misses == 1


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("05/11/2026 10:11", TimeRules()),
        ("11/23/2026 10:11", DAY_FIRST),
        ("23/11/2026 13:11 PM", DAY_FIRST),
        ("2026-11-23 10:11", TimeRules("%d.%m.%y")),
    ],
)
def test_an_ambiguous_time_is_rejected(text: str, rules: TimeRules) -> None:
    with pytest.raises(UnreadableTime):
        read_time(text, rules)


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["05/11/2026 10:11", "13/11/2026 10:11"], DayOrder.DAY_FIRST),
        (["05/11/2026 10:11", "05/13/2026 10:11"], DayOrder.MONTH_FIRST),
        (["05/11/2026 10:11", "06/11/2026 10:11"], DayOrder.UNDECIDED),
        (["13/11/2026 10:11", "11/13/2026 10:11"], DayOrder.UNDECIDED),
        (["2026-11-23 10:11", ""], DayOrder.UNDECIDED),
    ],
)
def test_a_day_after_the_12th_determines_the_day_order(texts: list[str], order: DayOrder) -> None:
    detector = DayOrderDetector()
    for text in texts:
        detector.add(text)
    assert detector.order is order


times = st.datetimes(datetime(1900, 1, 1), datetime(2999, 12, 31))  # noqa: DTZ001
forms = st.sampled_from(
    [
        "{0:%Y-%m-%dT%H:%M:%S.%f}",
        "{0:%Y-%m-%d %H:%M:%S}",
        "{0:%Y-%m-%d %H:%M}",
        "{0:%Y/%m/%d %H:%M:%S}Z",
        "{0:%Y-%m-%dT%H:%M:%S}+02:00",
        "{0:%Y-%m-%dT%H:%M:%S.%f}-11:30",
        "{0:%Y-%m-%dT%H:%M:%S}+99:00",
        "{0:%d/%m/%Y %H:%M}",
        "{0:%m/%d/%Y %H:%M:%S}",
        "{0:%d.%m.%Y %I:%M} PM",
        "{0.day}/{0.month}/{0.year} {0.hour}:{0:%M}",
        "{0:%Y-%m-%d}",
        "{0:%Y}-02-30 {0:%H:%M:%S}",
        "{0:%Y-%m-%d} 24:00:00",
        "x{0:%Y-%m-%d %H:%M:%S}",
    ]
)


@given(
    texts=st.lists(st.builds(str.format, forms, times) | st.text(max_size=30), min_size=1, max_size=12),
    order=st.sampled_from(DayOrder),
)
def test_reading_a_column_of_times_equals_reading_them_one_by_one(texts: list[str], order: DayOrder) -> None:
    texts = [re.sub("[\ud800-\udfff]", "", text) for text in texts]
    rules = TimeRules(day_order=order)
    walls = read_times(pl.Series(texts), rules)
    for text, micros, is_local, is_parsed in zip(
        texts, walls.microseconds, walls.is_local, walls.is_parsed, strict=True
    ):
        if is_parsed:
            wall = read_time(text, rules)
            assert (wall.microseconds, wall.is_local) == (micros, is_local)


@given(instants=st.lists(times, min_size=1, max_size=20))
def test_a_column_in_the_default_format_is_read_at_once(instants: list[datetime]) -> None:
    walls = read_times(pl.Series([f"{instant:%Y-%m-%dT%H:%M:%S.%f}" for instant in instants]), TimeRules())
    assert walls.is_parsed.all()
    assert walls.is_local.all()
    assert walls.microseconds.tolist() == [microseconds(instant.replace(tzinfo=UTC)) for instant in instants]


def test_an_epoch_number_is_exact_to_the_microsecond() -> None:
    instant = datetime(2026, 11, 23, 10, 11, 11, tzinfo=UTC)
    for micros in (1, 999_999, 500_001):
        sent = (instant + timedelta(microseconds=micros)).timestamp()
        assert read_time(sent, TimeRules()).microseconds == microseconds(instant) + micros
