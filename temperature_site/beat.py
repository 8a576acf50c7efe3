"""Beat's scheduler: that of django-celery-beat, on a machine whose clock is set while it runs.

The library stores when an entry was last sent by this machine's clock, and trusts it: after an hour ahead, nothing
would be sent for an hour. Times in the future are not trusted here, and a clock that is set back empties the queue of
entries, which is ordered by time.
"""

from __future__ import annotations

import time
from datetime import datetime

import structlog
from celery.schedules import schedstate
from django.db import Error
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry
from typing_extensions import override

from temperature_site.heartbeats import BEAT, HEARTBEAT_SECONDS, record_seen

logger = structlog.get_logger(__name__)

# More than clocks are adjusted by while they run.
JUMP_SECONDS = 2.0


class ClockSafeEntry(ModelEntry):  # type: ignore[misc]  # the library is not typed
    """An entry whose last run cannot lie in the future."""

    last_run_at: datetime

    @override
    def is_due(self) -> schedstate:
        now = self._default_now()
        if self.last_run_at > now:
            logger.warning("last run in the future", entry=self.name, last_run_at=self.last_run_at)
            self.last_run_at = self.model.last_run_at = now
        state: schedstate = super().is_due()
        return state


class ClockSafeScheduler(DatabaseScheduler):  # type: ignore[misc]  # the library is not typed
    """A scheduler that notices when the clock is set, and records beat's heartbeat."""

    Entry = ClockSafeEntry

    def __init__(self, *args: object, **options: object) -> None:
        self._wall_ahead = time.time() - time.monotonic()
        self._recorded_at = float("-inf")
        super().__init__(*args, **options)

    @override
    def tick(self, *args: object, **options: object) -> float:
        wall_ahead = time.time() - time.monotonic()
        if abs(wall_ahead - self._wall_ahead) > JUMP_SECONDS:
            logger.warning("the clock was set", seconds=round(wall_ahead - self._wall_ahead, 1))
            self._heap = None
        self._wall_ahead = wall_ahead
        self._record_heartbeat()
        delay: float = super().tick(*args, **options)
        return delay

    def _record_heartbeat(self) -> None:
        if time.monotonic() - self._recorded_at < HEARTBEAT_SECONDS:
            return
        self._recorded_at = time.monotonic()
        try:
            record_seen([BEAT])
        except Error as error:
            logger.warning("heartbeat not recorded", error=str(error))
