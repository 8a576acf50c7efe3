"""Whether each part of the system does its work, found out in a few seconds at most."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import structlog
from django.db import DEFAULT_DB_ALIAS, Error, connections

from readings.storage.partitions import missing_partitions
from temperature_site.health.broker import BrokerOut, QueueState, queue_states
from temperature_site.heartbeats import fault_of_beat, faults_of_workers, watched_queues

logger = structlog.get_logger(__name__)

OK = "ok"
UNKNOWN = "error: not known without the database"
CONNECT_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Findings:
    """Each part's `ok`, or `error: why`."""

    database: str
    rabbitmq: str
    beat: str
    workers: str
    partitions: str

    def parts(self) -> dict[str, bool]:
        """Is each part in order?"""
        return {part: finding == OK for part, finding in asdict(self).items()}

    @property
    def has_database(self) -> bool:
        return self.database == OK

    @property
    def status(self) -> str:
        """`error` without the database, `degraded` when anything else is out, else `ok`."""
        if not self.has_database:
            return "error"
        return OK if all(self.parts().values()) else "degraded"


def examine(now: datetime) -> Findings:
    """Look at everything."""
    rabbitmq, queues = _broker()
    try:
        _ask_database()
        beat = _finding(fault_of_beat(now))
        faults = _unheard(queues) | faults_of_workers(now, is_beat_alive=beat == OK)
        missing = missing_partitions(now)
    except Error as error:
        logger.warning("the database does not answer", error=str(error))
        return Findings("error: no answer", rabbitmq, beat=UNKNOWN, workers=UNKNOWN, partitions=UNKNOWN)
    return Findings(
        database=OK,
        rabbitmq=rabbitmq,
        beat=beat,
        workers=_finding("; ".join(f"{queue}: {fault}" for queue, fault in faults.items())),
        partitions=_finding(missing and f"missing: {', '.join(missing)}"),
    )


def _finding(fault: object) -> str:
    return f"error: {fault}" if fault else OK


def _ask_database() -> None:
    """Ask a new connection, so that the wait is bounded: a server that hangs would hold an open one for ever."""
    probe = connections.create_connection(DEFAULT_DB_ALIAS)
    options = {**probe.settings_dict["OPTIONS"], "connect_timeout": CONNECT_SECONDS}
    probe.settings_dict = {**probe.settings_dict, "OPTIONS": options}
    try:
        with probe.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        probe.close()


def _broker() -> tuple[str, dict[str, QueueState]]:
    try:
        return OK, queue_states(watched_queues())
    except BrokerOut as error:
        return f"error: {error}", {}


def _unheard(queues: dict[str, QueueState]) -> dict[str, str]:
    """The queues nobody listens to, where the broker can tell."""
    return {queue: "no worker listens" for queue, state in queues.items() if state.consumers == 0}
