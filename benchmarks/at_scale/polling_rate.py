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
from benchmarks.measuring.results import Results
from benchmarks.polling import INTERVAL_SECONDS
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
    behind: int
    cpu_ms: dict[str, float]
    idle: float

    @property
    def p95_seconds(self) -> float:
        """The lateness that 95 of 100 polls do not exceed; infinite without polls."""
        return _percentile(self.slots.late_seconds, 95)


def run(results: Results) -> None:
    """Measure lateness, missed slots, the ledger and the CPU of a poll for each number of sources."""
    counts = [int(each) for each in os.environ.get("BENCH_SOURCES", "").split(",") if each] or list(SOURCES)
    results.title(f"every source every {INTERVAL_SECONDS} s")
    with own_broker() as broker:
        for number, count in enumerate(counts, 1):
            minutes = float(os.environ.get("BENCH_MINUTES") or (LAST_MINUTES if number == len(counts) else MINUTES))
            add_lines(results, measure(count, minutes, broker), minutes)


def add_lines(results: Results, rate: Rate, minutes: float) -> None:
    """Add the lines of a measurement."""
    of = f"{rate.sources:,} sources for {minutes:g} minutes"
    half = f"p50 {_percentile(rate.slots.late_seconds, 50):.2f} s"
    results.add(f"{of}: behind when it began", rate.behind, "sources", at_most=0)
    results.add(f"{of}: p95 lateness", rate.p95_seconds, "s", at_most=MAX_P95_SECONDS, note=half)
    results.add(f"{of}: missed slots", rate.slots.missed, "slots", at_most=0)
    ledger = f"{rate.stored:,} readings stored, {rate.served:,} served"
    results.add(f"{of}: readings missing or extra", abs(rate.stored - rate.served), "readings", at_most=0, note=ledger)
    results.add(f"{of}: failed polls", rate.failed, "polls", at_most=0)
    costs = ", ".join(f"{part} {rate.cpu_ms[part]:.2f}" for part in PARTS if part in rate.cpu_ms)
    results.add(f"{of}: CPU of a poll", sum(rate.cpu_ms.values()), "ms", note=f"{costs}; idle {rate.idle:.0%}")


def measure(count: int, minutes: float, broker: Broker, interval_seconds: int = INTERVAL_SECONDS) -> Rate:
    """Poll this many sources for this long, after all of them have been polled for the first time."""
    with polled_system(count, interval_seconds, broker) as polled:
        database = polled.system.database
        polled.start()
        is_met = _is_met(f"{count} sources are polled in time", lambda: database.value(BEHIND) == 0, WARM_UP_SECONDS)
        behind = 0 if is_met else int(database.value(BEHIND))
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
            behind=behind,
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
