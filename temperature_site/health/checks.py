"""The health checks: whether each part of the system works, within a few seconds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import structlog
from django.db import DEFAULT_DB_ALIAS, Error, connections

from alarms.selectors import units_not_evaluated
from readings.storage.partitions import missing_partitions
from temperature_site.health.broker import BrokerOut, QueueState, queue_states
from temperature_site.heartbeats import beat_problem, watched_queues, worker_problems

logger = structlog.get_logger(__name__)

OK = "ok"
UNKNOWN = "error: unknown without the database"
CONNECT_SECONDS = 3


@dataclass(frozen=True, slots=True)
class CheckResults:
    """The result of each check: `ok`, or `error: why`."""

    database: str
    rabbitmq: str
    beat: str
    workers: str
    partitions: str
    evaluation: str

    def reports(self) -> dict[str, str]:
        """Return the result of each part by its name."""
        return asdict(self)

    def parts(self) -> dict[str, bool]:
        """Return whether each part works, by its name."""
        return {part: result == OK for part, result in self.reports().items()}

    @property
    def has_database(self) -> bool:
        """Whether the database answers."""
        return self.database == OK

    @property
    def status(self) -> str:
        """`error` without the database, `degraded` if anything else is out, else `ok`."""
        if not self.has_database:
            return "error"
        return OK if all(self.parts().values()) else "degraded"


def run_checks(now: datetime) -> CheckResults:
    """Run every check."""
    rabbitmq, queues = _broker()
    try:
        _probe_database()
        beat = _result(beat_problem(now))
        problems = _unconsumed(queues) | worker_problems(now, is_beat_running=beat == OK)
        missing = missing_partitions(now)
        not_evaluated = _not_evaluated()
    except Error as error:
        logger.warning("the database does not answer", error=str(error))
        return CheckResults(
            "error: no answer", rabbitmq, beat=UNKNOWN, workers=UNKNOWN, partitions=UNKNOWN, evaluation=UNKNOWN
        )
    return CheckResults(
        database=OK,
        rabbitmq=rabbitmq,
        beat=beat,
        workers=_result("; ".join(f"{queue}: {problem}" for queue, problem in problems.items())),
        partitions=_result(missing and f"missing: {', '.join(missing)}"),
        evaluation=_result(not_evaluated),
    )


def _result(problem: object) -> str:
    return f"error: {problem}" if problem else OK


def _probe_database() -> None:
    """Query a new connection, which bounds the wait: a hanging server would block an open one indefinitely."""
    probe = connections.create_connection(DEFAULT_DB_ALIAS)
    options = {**probe.settings_dict["OPTIONS"], "connect_timeout": CONNECT_SECONDS}
    probe.settings_dict = {**probe.settings_dict, "OPTIONS": options}
    try:
        with probe.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        probe.close()


def _not_evaluated() -> str:
    """Return how many units could not be evaluated, "" for none. The errors are in the admin: this is public."""
    count, since = units_not_evaluated()
    units = "1 storage unit" if count == 1 else f"{count:,} storage units"
    return f"{units} not evaluated since {since:%Y-%m-%d %H:%M} UTC, see the admin" if count else ""


def _broker() -> tuple[str, dict[str, QueueState]]:
    try:
        return OK, queue_states(watched_queues())
    except BrokerOut as error:
        return f"error: {error}", {}


def _unconsumed(queues: dict[str, QueueState]) -> dict[str, str]:
    """Return the queues without a consumer, where the broker can tell."""
    return {queue: "no worker listens" for queue, state in queues.items() if state.consumers == 0}
