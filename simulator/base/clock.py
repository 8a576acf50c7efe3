"""What time it is where the simulated customers live."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Anything that knows the simulated now, as an aware UTC datetime."""

    def now(self) -> datetime: ...


class RealClock:
    """The time it really is."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class RunningClock:
    """Starts at `start`, runs `speed` times as fast as real time, and halts at `stop` (None: never)."""

    def __init__(
        self,
        start: datetime,
        *,
        stop: datetime | None = None,
        speed: float = 1.0,
        elapsed_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        if speed <= 0:
            raise ValueError("the clock's speed must be above 0")
        if stop is not None and stop < start:
            raise ValueError("the clock cannot stop before it starts")
        self._start, self._stop, self._speed = start, stop, speed
        self._elapsed_seconds = elapsed_seconds
        self._began_seconds = elapsed_seconds()

    def now(self) -> datetime:
        passed_seconds = (self._elapsed_seconds() - self._began_seconds) * self._speed
        moment = self._start + timedelta(seconds=passed_seconds)
        return moment if self._stop is None else min(moment, self._stop)


class SetClock:
    """Stands still until it is set: for tests."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment

    def set(self, moment: datetime) -> None:
        self._moment = moment

    def advance(self, **amount: float) -> None:
        """Moves on by an amount given as for `timedelta`, e.g. `advance(minutes=5)`."""
        self._moment += timedelta(**amount)
