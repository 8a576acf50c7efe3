"""The benchmark of polling finds late and missed polls, and measures the whole system with a few sources."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.at_scale.polled_system import Broker
from benchmarks.at_scale.polling_rate import Period, add_lines, measure, slots_of
from benchmarks.measuring.results import Results
from ingestion.polling.claims import next_due

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PERIOD = Period(BEGIN, BEGIN + 3 * MINUTE, MINUTE)


def test_polls_belong_to_the_slots_before_them() -> None:
    first = next_due(7, 60, BEGIN)
    polls = [(7, first + number * MINUTE + timedelta(seconds=2 + number)) for number in range(3)]
    slots = slots_of([7], polls, PERIOD)
    assert (slots.late_seconds.tolist(), slots.missed) == ([2.0, 3.0, 4.0], 0)


def test_slots_without_a_poll_are_missed() -> None:
    first = next_due(7, 60, BEGIN)
    # The second slot is polled in the third, twice in all; source 8 is never polled.
    polls = [(7, first + timedelta(seconds=1)), (7, first + 2 * MINUTE), (7, first + 2.5 * MINUTE)]
    slots = slots_of([7, 8], polls, PERIOD)
    assert (len(slots.late_seconds), slots.missed) == (2, 4)


def test_polls_outside_the_period_do_not_count() -> None:
    first = next_due(7, 60, BEGIN)
    slots = slots_of([7], [(7, first - timedelta(seconds=1)), (7, first + 3 * MINUTE)], PERIOD)
    assert (len(slots.late_seconds), slots.missed) == (0, 3)


@pytest.mark.rabbitmq
@pytest.mark.xdist_group("running system")
def test_the_whole_system_polls_a_few_sources(broker_url: str) -> None:
    rate = measure(6, 0.1, Broker(broker_url, None), interval_seconds=2)
    assert rate.behind == 0
    assert rate.stored == rate.served > 6 * 6
    assert rate.failed == 0
    assert len(rate.slots.late_seconds) > 6
    assert {"worker", "PostgreSQL", "beat"} < rate.cpu_ms.keys()
    results = Results("polling")
    add_lines(results, rate, 0.1)
    assert [line.verdict for line in results.lines] == ["pass", "pass", "pass", "pass", "pass", ""]
