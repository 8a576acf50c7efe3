"""The health checks: whether each part of the system works, within two seconds in total."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import structlog
from django.db import DEFAULT_DB_ALIAS, Error, connections

from alarms.notifications.undelivered import delivery_problem
from alarms.selectors import units_not_evaluated
from core.db import clock
from core.db.conflicts import cause_of
from ingestion.poll_outcomes import storing_problem
from readings.storage.archive.verification import archive_problem
from readings.storage.partitions import missing_partitions
from seals.sealing import sealing_problem
from temperature_site.health.bounded import BoundedCheck, NoAnswer
from temperature_site.health.broker import BrokerOut, QueueState, queue_states
from temperature_site.heartbeats import beat_problem, clock_problem, subscriber_problem, watched_queues, worker_problems

logger = structlog.get_logger(__name__)

OK = "ok"
UNKNOWN = "error: unknown without the database"
# What is waited for the database and the broker, beside each other.
WAIT_SECONDS = 1.5
# A disk that is full still takes small changes for a while. Written every minute, and rolled back.
_WRITTEN_BYTES = 512 << 10
_WRITE_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class CheckResults:
    """The result of each check: `ok`, or `error: why`."""

    database: str
    rabbitmq: str
    beat: str = UNKNOWN
    workers: str = UNKNOWN
    partitions: str = UNKNOWN
    evaluation: str = UNKNOWN
    clocks: str = UNKNOWN
    storing: str = UNKNOWN
    subscriber: str = UNKNOWN
    sealing: str = UNKNOWN
    archive: str = UNKNOWN
    notifications: str = UNKNOWN

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


def run_checks() -> CheckResults:
    """Run every check."""
    rabbitmq, queues, database = _answers()
    if database != OK:
        return CheckResults(database, rabbitmq)
    try:
        return _with_database(rabbitmq, queues)
    except Error as error:
        logger.warning("the database does not answer", error=str(error))
        return CheckResults("error: no answer", rabbitmq)


def _with_database(rabbitmq: str, queues: dict[str, QueueState]) -> CheckResults:
    # By the clock of what they compare it with: that of this machine may be wrong.
    now = clock.database_now()
    beat = _result(beat_problem(now))
    workers = _unconsumed(queues) | worker_problems(now, is_beat_running=beat == OK)
    missing = missing_partitions(now)
    return CheckResults(
        database=OK,
        rabbitmq=rabbitmq,
        beat=beat,
        workers=_result("; ".join(f"{queue}: {problem}" for queue, problem in workers.items())),
        partitions=_result(missing and f"missing: {', '.join(missing)}"),
        evaluation=_result(_not_evaluated()),
        clocks=_result(clock_problem(now)),
        storing=_result(storing_problem(now)),
        subscriber=_result(subscriber_problem(now)),
        sealing=_result(sealing_problem(now)),
        archive=_result(archive_problem()),
        notifications=_result(delivery_problem(now)),
    )


def _result(problem: object) -> str:
    return f"error: {problem}" if problem else OK


def _answers() -> tuple[str, dict[str, QueueState], str]:
    """Return whether the broker answers, its queues, and whether the database does."""
    deadline = time.monotonic() + WAIT_SECONDS
    _broker_check.start()
    _database_check.start()
    try:
        database = _database_check.result(deadline)
    except (Error, NoAnswer) as error:
        logger.warning("the database does not answer", error=str(error))
        database = f"error: {cause_of(error) or 'no answer'}"
    try:
        rabbitmq, queues = _broker_check.result(deadline)
    except NoAnswer:
        rabbitmq, queues = "error: no answer", {}
    return rabbitmq, queues, database


def _probe_database() -> str:
    """Query a new connection: the request's own would wait as long as a hanging server does."""
    global _written_at
    probe = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        with probe.cursor() as cursor:
            cursor.execute("SELECT 1")
            if time.monotonic() - _written_at >= _WRITE_EVERY_SECONDS:
                cursor.execute(_WRITE, [_WRITTEN_BYTES])
                _written_at = time.monotonic()
    finally:
        probe.close()
    return OK


# Temporary tables extend files of the same disk. The text does not compress.
_WRITE = """
CREATE TEMPORARY TABLE written ON COMMIT DROP AS
    SELECT md5(random()::text) AS text FROM generate_series(1, %s / 32)
"""
_written_at = float("-inf")


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


# Looked up when they run, so that tests can replace what they call.
_broker_check = BoundedCheck(lambda: _broker())
_database_check = BoundedCheck(lambda: _probe_database())


def _unconsumed(queues: dict[str, QueueState]) -> dict[str, str]:
    """Return the queues without a consumer, where the broker can tell."""
    return {queue: "no worker listens" for queue, state in queues.items() if state.consumers == 0}
