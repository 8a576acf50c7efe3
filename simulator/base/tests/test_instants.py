from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from simulator.base.instants import microseconds_of, moment_of, naive_texts, parse_moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T10:11:11.5",
        "2026-11-23 10:11:11.5",
        "2026-11-23T10:11:11.5Z",
        "2026-11-23T11:11:11.5+01:00",
        "2026-11-23T11:11:11.5 01:00",
    ],
)
def test_every_way_to_write_an_instant_means_the_same_one(text: str) -> None:
    assert parse_moment(text) == datetime(2026, 11, 23, 10, 11, 11, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+23:00"])
def test_an_invalid_instant_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_moment(text)


def test_converting_an_instant_to_microseconds_and_back_is_lossless() -> None:
    moment = datetime(2026, 11, 23, 10, 11, 11, 123_456, tzinfo=UTC)
    assert moment_of(microseconds_of(moment)) == moment


def test_an_instant_without_a_time_zone_is_rejected() -> None:
    with pytest.raises(ValueError, match="time zone"):
        microseconds_of(datetime(2026, 11, 23))  # noqa: DTZ001 - the point of the test


def test_timestamps_are_written_in_two_formats() -> None:
    instants = np.array([microseconds_of(datetime(2026, 11, 23, 10, 11, 11, 123_456, tzinfo=UTC))])
    assert naive_texts(instants) == ["2026-11-23T10:11:11.123456"]
    assert naive_texts(instants, whole_seconds=True) == ["2026-11-23 10:11:11"]
