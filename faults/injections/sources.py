"""The customers' systems respond with errors, late, cut off, twice and in disorder; one hangs."""

from __future__ import annotations

import random
import time
from datetime import timedelta

from faults.fault import Fault
from faults.trial import Trial
from tests.running_system import ask

SHARE = 0.2
FAULTY_SECONDS = 5.0
TRANSPORT_FAULTS = (
    "error_500", "unavailable_503", "hang", "slow_body", "cut_off", "html", "shuffled_rows", "duplicated_rows",
    "garbage_rows",
)  # fmt: skip
SHORT = {"hang_seconds": 3, "slow_seconds": 3, "retry_after_seconds": 1}
HANGING = {"hang": 1, "hang_seconds": 60}
MEASURED_SECONDS = 45.0
# Of the 95th percentile of lateness, with one customer that hangs.
MOST_LATER = 1.2
# What the measurement itself is uncertain by, on a busy machine.
LEAST_SECONDS = 0.1

# When a poll of a source that is due every 2 s began after the previous one.
LATENESS = """
SELECT coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY apart - 2.0), -1)::float8 FROM (
    SELECT extract(epoch FROM started_at - lag(started_at) OVER (PARTITION BY source_id ORDER BY started_at)) AS apart
    FROM delivery JOIN source ON source.id = source_id JOIN customer ON customer.id = source.customer_id
    WHERE customer_code = ANY(%s) AND started_at > %s
) AS polls
"""


def respond_wrongly(trial: Trial, rng: random.Random) -> None:
    """Let a fifth of all requests, or rows, meet one transport fault for some seconds, each of them in turn."""
    kinds = list(TRANSPORT_FAULTS)
    rng.shuffle(kinds)
    for kind in kinds:
        set_transport(trial, {kind: SHARE} | SHORT)
        time.sleep(FAULTY_SECONDS)
    set_transport(trial, {})


def respond_wrongly_in_every_way(trial: Trial, _: random.Random) -> None:
    """Let all transport faults happen together, to a fifth of the requests."""
    outcomes = dict.fromkeys(TRANSPORT_FAULTS[:6], SHARE / 6)
    rows = dict.fromkeys(TRANSPORT_FAULTS[6:], SHARE)
    set_transport(trial, outcomes | rows | SHORT)
    time.sleep(4 * FAULTY_SECONDS)
    set_transport(trial, {})


def hang(trial: Trial, rng: random.Random) -> None:
    """Let one customer's system hang, and compare how late the others' polls are with and without that."""
    hanging = rng.choice(sorted(trial.urls))
    others = sorted(trial.urls.keys() - {hanging})
    before = _lateness_seconds(trial, others)
    ask(f"{trial.urls[hanging]}/simulate/transport", HANGING)
    during = _lateness_seconds(trial, others)
    ask(f"{trial.urls[hanging]}/simulate/transport", {})
    if during > max(before * MOST_LATER, before + LEAST_SECONDS):
        trial.findings.append(f"p95 of lateness {before:.2f} s, {during:.2f} s while a customer hung")


def _lateness_seconds(trial: Trial, customers: list[str]) -> float:
    """Return the 95th percentile of how late polls of these customers begin from now on."""
    since = trial.now()
    time.sleep(MEASURED_SECONDS)
    return float(trial.database.value(LATENESS, [customers, since + timedelta(seconds=3)]))


def set_transport(trial: Trial, settings: dict[str, float]) -> None:
    """Set the transport faults of all customers' systems."""
    for url in trial.urls.values():
        ask(f"{url}/simulate/transport", settings)


FAULTS = [
    Fault("a fifth of the responses has a transport fault", respond_wrongly, tries=2),
    Fault("a fifth of the responses has any transport fault", respond_wrongly_in_every_way, tries=2),
    Fault("one customer's system hangs", hang, tries=1),
]
