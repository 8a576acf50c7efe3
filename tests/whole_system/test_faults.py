"""A short selection of `make faults`: nothing is lost, duplicated or changed, whatever ends during its work."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest

from faults.fault import Fault, run
from faults.injections import databases, processes
from faults.starting import Conditions, running_trial
from faults.trial import Trial
from tests.running_system import demo_database

# Every worker is polling whenever something ends.
SLOW_RESPONSES = "slow_body=1,slow_seconds=1"
INJECTIONS = [*[processes.kill_any] * 4, databases.end_connections, databases.kill]

pytestmark = [pytest.mark.rabbitmq, pytest.mark.xdist_group("running system")]


def test_nothing_is_lost_duplicated_or_changed(broker_url: str) -> None:
    waiting = list(INJECTIONS)

    def inject_the_next(trial: Trial, rng: random.Random) -> None:
        waiting.pop(0)(trial, rng)

    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # PostgreSQL may run as another user.
        folder.chmod(0o755)
        conditions = Conditions(broker_url=broker_url, transport=SLOW_RESPONSES)
        with demo_database() as template, running_trial(folder, conditions, template) as trial:
            outcome = run(trial, Fault("processes and the database end", inject_the_next, 6), random.Random(20261128))

    assert (outcome.reason, waiting) == ("", [])
    assert outcome.comparison is not None
    assert outcome.comparison.readings > 0
    assert outcome.comparison.messages > 0
    assert outcome.is_passed, outcome
