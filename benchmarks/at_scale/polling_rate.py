"""How many sources keep their minute: `python -m benchmarks --scale polling_rate`.

Beat, workers, RabbitMQ, PostgreSQL and a server of the sources run on this machine, and every source is polled every 60
seconds, with a new reading of each of its six units. BENCH_SOURCES names other numbers of sources, separated by commas,
and BENCH_MINUTES for how long all of them are polled: 2 minutes, and 10 for the last number, by default.
BENCH_BROKER_URL names another broker than a RabbitMQ node that is started for this.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.at_scale.polled_system import Broker, PolledSystem, own_broker, polled_system
from benchmarks.polling import INTERVAL_SECONDS, verdict
from ingestion.polling.claims import next_due
from tests.databases import Database
from tests.running_system import NeverCameTrue, wait_until

SOURCES = (1_000, 2_500, 5_000, 10_000)
MINUTES, LAST_MINUTES = 2.0, 10.0
MAX_P95_SECONDS = 5.0
# The first poll of a source registers its units.
WARM_UP_SECONDS = 600.0
CAUGHT_UP_SECONDS = 5
# After the period; what has not been polled by then has missed its slot.
GRACE_SECONDS = 60.0
PARTS = ("worker", "PostgreSQL", "broker", "beat", "sources")

NOW = "SELECT clock_timestamp()"
BEHIND = f"""
SELECT count(*) FROM source
WHERE last_success_at IS NULL OR next_due_at < now() - interval '{CAUGHT_UP_SECONDS} seconds'
"""  # noqa: S608  constants only
DUE_BEFORE = "SELECT count(*) FROM source WHERE next_due_at < %s"
CLAIMED = "SELECT count(*) FROM source WHERE lease_until > now()"
POLLS = "SELECT source_id, started_at FROM delivery WHERE started_at >= %s AND status = 'success'"
FAILED = "SELECT count(*) FROM delivery WHERE status <> 'success'"


class Period(NamedTuple):
    """The time that is measured, and how often each source is polled."""

    begin: datetime
    end: datetime
    interval: timedelta


class Slots(NamedTuple):
    """The polls of a period: seconds after their slots, and how many slots had none."""

    late_seconds: np.ndarray
    missed: int


@dataclass(frozen=True, slots=True)
class Rate:
    """What polling this many sources looked like."""

    sources: int
    slots: Slots
    stored: int
    served: int
    failed: int
    is_warm: bool
    cpu_ms: dict[str, float]
    idle: float

    @property
    def p95_seconds(self) -> float:
        """The lateness that 95 of 100 polls do not exceed; infinite without polls."""
        return _percentile(self.slots.late_seconds, 95)

    @property
    def verdict(self) -> str:
        """Pass, or what falls short."""
        short = {
            f"p95 of at most {MAX_P95_SECONDS:g} s": self.p95_seconds > MAX_P95_SECONDS,
            "no missed slot": self.slots.missed > 0,
            "ledger equal": self.stored != self.served,
            "no failed poll": self.failed > 0,
            "caught up before": not self.is_warm,
        }
        wrong = [name for name, is_wrong in short.items() if is_wrong]
        return verdict(not wrong) + (f": {', '.join(wrong)}" if wrong else "")


def run() -> None:
    """Print lateness, missed slots, the ledger and the CPU of a poll for each number of sources."""
    counts = [int(each) for each in os.environ.get("BENCH_SOURCES", "").split(",") if each] or list(SOURCES)
    print(f"Polling every {INTERVAL_SECONDS} s; target: p95 within {MAX_P95_SECONDS:g} s, no missed slot, ledger equal")
    print(
        f"{'sources':>8}{'minutes':>9}{'p50 s':>8}{'p95 s':>8}{'missed':>8}{'stored':>11}{'served':>11}{'idle':>6}"
        + "".join(f"{part:>12}" for part in PARTS)
        + "   CPU in ms a poll"
    )
    with own_broker() as broker:
        for number, count in enumerate(counts, 1):
            minutes = float(os.environ.get("BENCH_MINUTES") or (LAST_MINUTES if number == len(counts) else MINUTES))
            print(line_of(measure(count, minutes, broker), minutes), flush=True)


def line_of(rate: Rate, minutes: float) -> str:
    """Return the line of a measurement."""
    costs = "".join(f"{rate.cpu_ms[part]:>12.2f}" if part in rate.cpu_ms else f"{'-':>12}" for part in PARTS)
    return (
        f"{rate.sources:>8,}{minutes:>9g}{_percentile(rate.slots.late_seconds, 50):>8.2f}{rate.p95_seconds:>8.2f}"
        f"{rate.slots.missed:>8,}{rate.stored:>11,}{rate.served:>11,}{rate.idle:>6.0%}{costs}   {rate.verdict}"
    )


def measure(count: int, minutes: float, broker: Broker, interval_seconds: int = INTERVAL_SECONDS) -> Rate:
    """Poll this many sources for this long, after all of them have been polled for the first time."""
    with polled_system(count, interval_seconds, broker) as polled:
        database = polled.system.database
        polled.start()
        is_warm = _is_met(f"{count} sources are polled in time", lambda: database.value(BEHIND) == 0, WARM_UP_SECONDS)
        begin: datetime = database.value(NOW)
        end = begin + timedelta(minutes=minutes)
        cpu_before = polled.cpu_seconds()
        psutil.cpu_times_percent()
        wait_until("the period is over", lambda: database.value(NOW) >= end, seconds=minutes * 60 + 60, look_every=1)
        idle = psutil.cpu_times_percent().idle / 100
        cpu = {part: seconds - cpu_before[part] for part, seconds in polled.cpu_seconds().items()}
        _is_met("all due slots are begun", lambda: database.value(DUE_BEFORE, [end]) == 0, GRACE_SECONDS)
        _stop_polling(polled)
        polls = database.rows(POLLS, [begin])
        within = sum(started_at < end for _, started_at in polls)
        return Rate(
            sources=count,
            slots=slots_of(_source_ids(database), polls, Period(begin, end, timedelta(seconds=interval_seconds))),
            stored=database.value("SELECT count(*) FROM reading"),
            served=polled.server.readings_served,
            failed=database.value(FAILED),
            is_warm=is_warm,
            cpu_ms={part: seconds * 1e3 / max(within, 1) for part, seconds in cpu.items()},
            idle=idle,
        )


def slots_of(source_ids: list[int], polls: list[tuple[int, datetime]], period: Period) -> Slots:
    """Assign each poll to the last slot of its source before it; count the slots of the period without one."""
    interval, end = period.interval, period.end
    first = {each: next_due(each, interval // timedelta(seconds=1), period.begin) for each in source_ids}
    late: list[float] = []
    polled: set[tuple[int, int]] = set()
    for source_id, started_at in sorted(polls):
        number, after = divmod(started_at - first[source_id], interval)
        if number >= 0 and first[source_id] + number * interval < end and (source_id, number) not in polled:
            polled.add((source_id, number))
            late.append(after.total_seconds())
    expected = sum(-((instant - end) // interval) for instant in first.values() if instant < end)
    return Slots(np.array(late), expected - len(polled))


def _stop_polling(polled: PolledSystem) -> None:
    """Stop claiming, and let polls that were claimed end."""
    beat = polled.system.processes.pop("beat")
    beat.terminate()
    beat.wait(30)
    _is_met("no poll is running", lambda: polled.system.database.value(CLAIMED) == 0, GRACE_SECONDS)


def _is_met(what: str, condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition is met, and return whether it was in time."""
    try:
        wait_until(what, condition, seconds=seconds, look_every=0.5)
    except NeverCameTrue:
        return False
    return True


def _source_ids(database: Database) -> list[int]:
    return [source_id for (source_id,) in database.rows("SELECT id FROM source")]


def _percentile(seconds: np.ndarray, percent: float) -> float:
    return float(np.percentile(seconds, percent)) if len(seconds) else float("inf")
