"""Clocks ten minutes off, local times that jump, a month that ends, and days of 23 and 25 hours."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from faults.clocks import faked, jumping_zone, library
from faults.fault import CannotInject, Fault
from faults.trial import PROCESSES, Trial

MINUTES_OFF = 10
# Beat and a worker have started by then, and work.
OFF_SECONDS = 10.0
BEAT_OFF = timedelta(hours=2)
BEFORE_JUMP = timedelta(seconds=7)
AFTER_JUMP_SECONDS = 5.0
# How long before the end of a month, or the change of the clocks, the servers are started, and how long it takes.
LEAD = timedelta(seconds=150)
MOST_WAIT = timedelta(minutes=4)


def set_clocks_wrong(trial: Trial, rng: random.Random) -> None:
    """Run each process with a clock that is right, or 10 minutes fast or slow, then all with the right one again."""
    if not library():
        raise CannotInject("libfaketime is not installed (Debian's package `faketime`)")
    offsets = {name: timedelta(minutes=rng.choice((-MINUTES_OFF, 0, MINUTES_OFF))) for name in PROCESSES}
    offsets[rng.choice(PROCESSES)] = timedelta(minutes=rng.choice((-MINUTES_OFF, MINUTES_OFF)))
    trial.restart_with({name: faked(offset) for name, offset in offsets.items()})
    time.sleep(OFF_SECONDS)
    trial.restart_with({name: {} for name in PROCESSES})


def leave_beat_off_for_hours(trial: Trial, _: random.Random) -> None:
    """Stop beat, let two hours pass on every clock at once, and start it again: all that was measured is polled."""
    if not library():
        raise CannotInject("libfaketime is not installed (Debian's package `faketime`)")
    trial.stop_processes("beat")
    trial.set_clocks(BEAT_OFF)
    trial.resume_processes("beat")


def change_to_summer_time(trial: Trial, _: random.Random) -> None:
    """Let the local time of every process jump an hour forward."""
    _let_local_time_jump(trial, is_forward=True)


def change_from_summer_time(trial: Trial, _: random.Random) -> None:
    """Let the local time of every process jump an hour back."""
    _let_local_time_jump(trial, is_forward=False)


def _let_local_time_jump(trial: Trial, *, is_forward: bool) -> None:
    zone = jumping_zone(datetime.now(UTC) + BEFORE_JUMP, is_forward=is_forward)
    trial.restart_with({name: {"TZ": zone} for name in PROCESSES})
    time.sleep(BEFORE_JUMP.total_seconds() + AFTER_JUMP_SECONDS)
    trial.restart_with({name: {} for name in PROCESSES})


def wait_for_the_turn(moment: datetime) -> Callable[[Trial, random.Random], None]:
    """Return a fault that keeps the system under load until some time after its clocks have reached `moment`."""

    def inject(trial: Trial, rng: random.Random) -> None:
        left = moment - trial.now()
        if not timedelta() < left < MOST_WAIT:
            raise CannotInject(f"the system had started only when its clocks had passed {moment:%Y-%m-%d %H:%M} UTC")
        time.sleep(left.total_seconds() + rng.uniform(8, 12))

    return inject


def turns() -> dict[datetime, list[Fault]]:
    """Return what happens shortly after systems start whose clocks show these times, those of all servers included."""
    now = datetime.now(UTC)
    month = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    summer = _last_sunday_of_march(now.year + 1)
    return {
        month - LEAD: [Fault("a month ends under load", wait_for_the_turn(month), tries=1)],
        summer - LEAD: [Fault("summer time begins in Europe", wait_for_the_turn(summer), tries=1)],
    }


def _last_sunday_of_march(year: int) -> datetime:
    """Return the instant at which summer time begins in Europe."""
    last = datetime(year, 3, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


HOURS_LATER = [Fault("beat is off for 2 hours", leave_beat_off_for_hours, tries=1)]
FAULTS = [
    Fault("clocks are 10 minutes off", set_clocks_wrong, tries=10),
    Fault("local time jumps forward", change_to_summer_time, tries=2),
    Fault("local time jumps back", change_from_summer_time, tries=2),
]
