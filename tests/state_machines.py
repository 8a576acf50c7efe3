"""State machines on the database, each example of which is undone at its end."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta

import time_machine
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


class DatabaseMachine(RuleBasedStateMachine):
    """What happens in an example is undone; if it begins at a time of its own, only `pass_time` moves the clock."""

    def __init__(self, begins_at: datetime | None = None) -> None:
        super().__init__()
        self._cleanup = ExitStack()
        self._clock = None
        if begins_at is not None:
            self.now = begins_at
            self._clock = self._cleanup.enter_context(time_machine.travel(begins_at, tick=False))
        self._cleanup.enter_context(transaction.atomic())
        self._cleanup.callback(transaction.set_rollback, True)

    def teardown(self) -> None:
        self._cleanup.close()

    def pass_time(self, duration: timedelta) -> None:
        """Move the clock."""
        assert self._clock is not None
        self.now += duration
        self._clock.move_to(self.now)


def run_machine(machine: type[DatabaseMachine], *, examples: int, steps: int) -> None:
    """Run a machine as a test."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
