from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator.base.clock import RealClock, RunningClock

START = datetime(2026, 11, 23, 10, tzinfo=UTC)


def running(elapsed: list[float], **arguments: Any) -> RunningClock:
    readings = iter([0.0, *elapsed])
    return RunningClock(START, elapsed_seconds=lambda: next(readings), **arguments)


def test_thirty_simulated_minutes_pass_in_three_seconds_at_six_hundred_fold_speed() -> None:
    assert running([3.0], speed=600.0).now() == START + timedelta(minutes=30)


def test_a_clock_stops_at_its_stop_time() -> None:
    stop = START + timedelta(minutes=30)
    assert running([1e6], speed=600.0, stop=stop).now() == stop


def test_a_stopped_clock_shows_its_stop_time_beyond_the_end_of_the_calendar() -> None:
    stop = START + timedelta(minutes=30)
    assert running([1e6], speed=1e9, stop=stop).now() == stop


def test_a_clock_without_a_stop_runs_on() -> None:
    assert running([1e6]).now() == START + timedelta(seconds=1e6)


def test_a_speed_of_zero_is_rejected() -> None:
    with pytest.raises(ValueError, match="above 0"):
        RunningClock(START, speed=0.0)


@pytest.mark.parametrize("speed", [float("nan"), float("inf"), 1e300])
def test_a_speed_that_leads_out_of_the_calendar_is_rejected(speed: float) -> None:
    with pytest.raises(ValueError, match="at most 1,000,000,000"):
        RunningClock(START, speed=speed)


def test_a_stop_before_the_start_is_rejected() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        RunningClock(START, stop=START - timedelta(seconds=1))


def test_the_real_clock_is_aware_and_in_utc() -> None:
    assert RealClock().now().utcoffset() == timedelta(0)
