"""Durations as people enter them."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from core.web.durations import DurationField, duration_entry, parse_duration

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45 min", 45 * MINUTE),
        ("45m", 45 * MINUTE),
        (" 1 Minute ", MINUTE),
        ("1 h 30 min", 90 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("1,5 h", 90 * MINUTE),
        ("0.5 min", 30),
        ("900 s", 900),
        ("10 hours", 10 * HOUR),
        ("2 days 4 h", 52 * HOUR),
        ("30\N{NO-BREAK SPACE}days", 30 * DAY),
        ("0", 0),
        ("0 min", 0),
    ],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "900", "15", "min", "-5 min", "5 weeks", "1:30", "1 h 30", "h 5", "1e3 s", "5 ms"]
)
def test_what_is_not_clearly_a_duration_is_not_read(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 min"),
        (30, "30 s"),
        (900, "15 min"),
        (DAY, "1 day"),
        (30 * DAY, "30 days"),
        (93_784, "1 day 2 h 3 min 4 s"),
    ],
)
def test_a_duration_is_shown_exactly_and_can_be_entered_again(seconds: int, text: str) -> None:
    assert duration_entry(seconds) == text
    assert parse_duration(text) == seconds


def test_a_field_in_minutes_takes_whole_minutes_within_its_bounds() -> None:
    field = DurationField(label="Repeat every", required=False, min_value=1, max_value=1_440, unit_seconds=60)
    assert (field.clean("1 h"), field.clean(""), field.prepare_value(90)) == (60, None, "1 h 30 min")
    for text, message in [
        ("90 s", "Enter whole minutes."),
        ("0", "Enter at least 1 min."),
        ("25 h", "Enter at most 1 day."),
        ("30", "Enter a duration with its unit, such as 45 min, 1 h 30 min or 2 days."),
    ]:
        with pytest.raises(ValidationError) as refused:
            field.clean(text)
        assert refused.value.messages == [message]


def test_the_same_duration_in_other_words_is_no_change() -> None:
    field = DurationField(label="Delay", required=True, max_value=DAY)
    assert not field.has_changed(5_400, "90 min")
    assert field.has_changed(5_400, "91 min")
