"""A short selection of `make faults`: nothing is lost, duplicated or changed, whatever ends during its work."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults import database_faults, process_faults
from faults.fault import Fault, run
from faults.trial import Trial, running_trial

# Every worker is polling whenever something ends.
SLOW_RESPONSES = "slow_body=1,slow_seconds=1"

pytestmark = [pytest.mark.rabbitmq, pytest.mark.xdist_group("running system")]


@pytest.fixture(scope="module")
def trial(broker_url: str) -> Iterator[Trial]:
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running_trial(folder, broker_url=broker_url, transport=SLOW_RESPONSES) as running:
            yield running


@pytest.mark.parametrize(
    "fault",
    [
        Fault("processes are killed", process_faults.kill_any, tries=4),
        Fault("PostgreSQL ends all connections", database_faults.end_connections, tries=2),
        Fault("PostgreSQL is killed", database_faults.kill, tries=1),
    ],
    ids=lambda fault: fault.name,
)
def test_nothing_is_lost_duplicated_or_changed(trial: Trial, fault: Fault) -> None:
    outcome = run(trial, fault, random.Random(20261128))

    assert outcome.reason == ""
    assert outcome.comparison is not None
    assert outcome.comparison.readings > 0
    assert outcome.comparison.messages > 0
    assert outcome.is_passed, outcome
