"""Clocks of the simulated customers."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from simulator.base.instants import LARGEST_NUMBER


class Clock(Protocol):
    """A source of the simulated time."""

    def now(self) -> datetime:
        """Return the simulated time as an aware UTC datetime."""


class RealClock:
    """The real time."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


class RunningClock:
    """A clock that starts at `start`, runs `speed` times as fast as real time, and halts at `stop` (None: never)."""

    def __init__(
        self,
        start: datetime,
        *,
        stop: datetime | None = None,
        speed: float = 1.0,
        elapsed_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < speed <= LARGEST_NUMBER:
            raise ValueError(f"the clock's speed must be above 0, and at most {LARGEST_NUMBER:,.0f}")
        if stop is not None and stop < start:
            raise ValueError("the clock cannot stop before it starts")
        self._start, self._stop, self._speed = start, stop, speed
        self._elapsed_seconds = elapsed_seconds
        self._began_seconds = elapsed_seconds()

    def now(self) -> datetime:
        """Return the simulated time in UTC, at most `stop`."""
        passed_seconds = (self._elapsed_seconds() - self._began_seconds) * self._speed
        if self._stop is not None and passed_seconds >= (self._stop - self._start).total_seconds():
            return self._stop
        return self._start + timedelta(seconds=passed_seconds)


class SetClock:
    """A clock for tests that does not move until it is set or advanced."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        """Return the time that was set."""
        return self._moment

    def set(self, moment: datetime) -> None:
        """Set the time."""
        self._moment = moment

    def advance(self, **amount: float) -> None:
        """Advance by an amount given as for `timedelta`, e.g. `advance(minutes=5)`."""
        self._moment += timedelta(**amount)
