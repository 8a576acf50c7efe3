"""What `manage.py doctor` and the operator's alerts look at: each finding with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from django.conf import settings
from django.core import checks
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from ingestion.metrics import source_metrics
from temperature_site.health.broker import BrokerOut, queue_states
from temperature_site.health.checks import OK, run_checks
from temperature_site.heartbeats import watched_queues
from temperature_site.models import Backup
from temperature_site.schedule import ENTRIES

# A poll that runs for its full time is not late.
MAX_LAG_SECONDS = 300
MAX_CLOCK_DIFFERENCE = timedelta(seconds=2)
# A lease that has expired is claimed again within seconds of the row's becoming due.
STUCK_AFTER = timedelta(minutes=10)

STUCK_LEASES = """
SELECT 'source', count(*) FROM source JOIN customer ON customer.id = customer_id
WHERE lease_until < %(before)s AND next_due_at < %(before)s AND NOT is_paused AND url <> '' AND customer.is_active
UNION ALL SELECT 'message', count(*) FROM message
WHERE state = 'waiting' AND lease_until < %(before)s AND next_attempt_at < %(before)s
"""
# Units whose roll-ups or excursions are calculated again after an update, other limits or another time zone.
RECALCULATION_OVERDUE = timedelta(hours=6)
WAITING_UNITS = """
SELECT count(DISTINCT storage_unit_id), min(requested_at) FROM (
    SELECT storage_unit_id, requested_at FROM rollup_rebuild
    UNION ALL SELECT storage_unit_id, requested_at FROM reevaluation
) AS requested
"""
HEALTH_ADVICE = {
    "database": "Start PostgreSQL and check DATABASE_URL.",
    "rabbitmq": "Start RabbitMQ and check CELERY_BROKER_URL, memory and disk alarms with `rabbitmqctl status`.",
    "beat": "Start the process `beat`; its log says why it ended.",
    "workers": "Start `worker` and `slow-worker`; if they run, look for tasks that hang in their logs.",
    "partitions": "Run beat and a worker: a task creates partitions hourly. Storing creates them, too.",
    "clocks": "Synchronise the clocks of all machines, with chrony or systemd-timesyncd, then restart beat.",
    "storing": "Look at the newest deliveries in `manage.py status`, and at the database's disk and log.",
    "evaluation": "Look at the evaluation failures in the admin; they are retried once their cause is gone.",
    "subscriber": "Start the process `subscriber`, or pause the MQTT sources; its log says why it ended.",
    "sealing": (
        "Look for “seals.tasks.seal_trail” in the log of `worker`, "
        "and in `pg_stat_activity` for transactions that have been open for minutes."
    ),
    "archive": "See docs/archive.md; `manage.py archive_readings --verify` compares every file with its recorded hash.",
    "notifications": (
        "Look at EMAIL_URL and the mail server, or at the network, firewall and OUTGOING_PORTS; "
        "the attempts in the admin say how messages failed."
    ),
}


class State(IntEnum):
    """How serious a finding is."""

    OK = 0
    WARNING = 1
    PROBLEM = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one part; `advice` says what to do, empty if nothing."""

    part: str
    state: State
    detail: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it for programs."""
        return asdict(self) | {"state": self.state.name.lower()}


Check = Callable[[datetime], Iterable[Finding]]


def fine(part: str, detail: str = "ok") -> Finding:
    """Return the finding that all is well."""
    return Finding(part, State.OK, detail)


def diagnose(now: datetime, examined: Iterable[Check]) -> list[Finding]:
    """Return the findings of these checks; those that need a database that does not answer say so."""
    findings: list[Finding] = []
    for check in examined:
        try:
            findings += check(now)
        except Error as error:
            name = check.__name__.removeprefix("check_").replace("_", " ")
            findings.append(Finding(name, State.PROBLEM, f"unknown: {_first_line(error)}", HEALTH_ADVICE["database"]))
    return findings


def check_settings(now: datetime) -> Iterator[Finding]:
    """Run Django's checks, those of a deployment outside the demo."""
    messages = checks.run_checks(include_deployment_checks=not settings.DEMO)
    for message in messages:
        state = State.PROBLEM if message.level >= checks.ERROR else State.WARNING
        yield Finding("settings", state, str(message.msg), str(message.hint or "See the README's table of settings."))
    if not messages:
        yield fine("settings")


def check_health(now: datetime) -> Iterator[Finding]:
    """Report what `/health` reports."""
    for part, result in run_checks().reports().items():
        if result == OK:
            yield fine(part)
        else:
            advice = HEALTH_ADVICE.get(part, "See docs/runbook.md.")
            yield Finding(part, State.PROBLEM, result.removeprefix("error: "), advice)


def check_migrations(now: datetime) -> Iterator[Finding]:
    """Report migrations that are not applied."""
    executor = MigrationExecutor(connection)
    missing = [str(migration) for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    if missing:
        detail = f"{len(missing)} not applied, the first is {missing[0]}"
        yield Finding("migrations", State.PROBLEM, detail, "Run `manage.py migrate`.")
    else:
        yield fine("migrations")


def check_schedule(now: datetime) -> Iterator[Finding]:
    """Report entries of beat's schedule that are missing or disabled."""
    enabled = dict(PeriodicTask.objects.values_list("name", "enabled"))
    missing = [entry.name for entry in ENTRIES if entry.name not in enabled]
    disabled = [entry.name for entry in ENTRIES if enabled.get(entry.name) is False]
    if missing:
        advice = "Run `manage.py ensure_schedule`."
        yield Finding("schedule", State.PROBLEM, f"missing: {', '.join(missing)}", advice)
    if disabled:
        advice = "Enable them in the admin, unless that is meant."
        yield Finding("schedule", State.WARNING, f"disabled: {', '.join(disabled)}", advice)
    if not missing and not disabled:
        yield fine("schedule", f"{len(ENTRIES)} entries")


def check_clocks(now: datetime) -> Iterator[Finding]:
    """Compare this machine's clock with the database's, and look for entries sent in the future."""
    with connection.cursor() as cursor:
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        (at,) = cursor.fetchone()
        after = timezone.now()
    # Within the time that the query took, the clocks cannot be told apart.
    difference = max(before - at, at - after, timedelta(0))
    advice = "Synchronise the clocks of all machines, with chrony or systemd-timesyncd."
    if difference > MAX_CLOCK_DIFFERENCE:
        detail = f"this machine and the database differ by {difference.total_seconds():.1f} s"
        yield Finding("clock of this machine", State.PROBLEM, detail, advice)
    elif PeriodicTask.objects.filter(last_run_at__gt=at + MAX_CLOCK_DIFFERENCE).exists():
        yield Finding(
            "clock of this machine", State.PROBLEM, "beat has recorded times in the future", f"{advice} Restart beat."
        )
    else:
        yield fine(
            "clock of this machine", f"within {max(difference, after - before).total_seconds():.1f} s of the database's"
        )


def check_queues(now: datetime) -> Iterator[Finding]:
    """Report queues that grow."""
    try:
        states = queue_states(watched_queues())
    except BrokerOut:
        return  # reported as `rabbitmq`
    for queue, state in states.items():
        if state.is_long:
            advice = "Start more workers or raise WORKER_CONCURRENCY; `manage.py status` shows which sources are late."
            yield Finding("queues", State.PROBLEM, f"{queue}: {state.messages:,} messages waiting", advice)
        else:
            yield fine("queues", f"{queue}: {state.messages:,} messages waiting")


def check_late_sources(now: datetime) -> Iterator[Finding]:
    """Report polls that are late by more than a few ticks of beat."""
    metrics = source_metrics()
    if metrics.lag_seconds > MAX_LAG_SECONDS:
        detail = f"the most overdue of {metrics.polled:,} sources is {metrics.lag_seconds:,.0f} s late"
        advice = "Check beat and the workers; if they run, start more workers: docs/runbook.md."
        yield Finding("late sources", State.PROBLEM, detail, advice)
    else:
        yield fine("late sources", f"none of {metrics.polled:,} is {MAX_LAG_SECONDS} s late")


def check_interrupted_sources(now: datetime) -> Iterator[Finding]:
    """Report sources that are polled no more because their polls ended the worker."""
    if count := source_metrics().interrupted:
        sources = "1 source is" if count == 1 else f"{count:,} sources are"
        detail = f"{sources} not polled any more, because their polls ended the worker"
        yield Finding(
            "interrupted sources", State.PROBLEM, detail, "Find them among the failing sources: docs/runbook.md."
        )
    else:
        yield fine("interrupted sources")


def check_leases(now: datetime) -> Iterator[Finding]:
    """Report due rows whose lease has expired and that nothing has claimed since."""
    with connection.cursor() as cursor:
        cursor.execute(STUCK_LEASES, {"before": now - STUCK_AFTER})
        stuck = {name: count for name, count in cursor.fetchall() if count}
    if stuck:
        detail = ", ".join(f"{count:,} {name}{'' if count == 1 else 's'}" for name, count in stuck.items())
        advice = "They are claimed as soon as beat and a worker run: check both, and the clocks."
        yield Finding("leases", State.PROBLEM, f"expired and not claimed again: {detail}", advice)
    else:
        yield fine("leases")


def check_recalculation(now: datetime) -> Iterator[Finding]:
    """Report how many units wait to be calculated again, which is how far an update's changes of rows have come."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING_UNITS)
        count, since = cursor.fetchone()
    if not count:
        yield fine("recalculation", "no unit waits")
        return
    units = "1 unit waits" if count == 1 else f"{count:,} units wait"
    detail = f"{units} to be calculated again, since {since:%Y-%m-%d %H:%M} UTC"
    if now - since > RECALCULATION_OVERDUE:
        advice = "Repeat this to see whether the number falls. If not, see the roll-up rebuilds in the admin."
        yield Finding("recalculation", State.PROBLEM, detail, advice)
    else:
        yield fine("recalculation", detail)


def check_backup(now: datetime) -> Iterator[Finding]:
    """Report a backup that is too old, unless backups are taken in another way."""
    if not settings.BACKUP_HOURS:
        return
    newest = Backup.objects.first()
    advice = "Run `manage.py backup` daily, see docs/backup.md. With other backups set BACKUP_HOURS=0."
    if newest is None:
        state = State.WARNING if settings.DEMO else State.PROBLEM
        yield Finding("backup", state, "none was ever taken", advice)
    elif now - newest.taken_at > timedelta(hours=settings.BACKUP_HOURS):
        yield Finding("backup", State.PROBLEM, f"the newest is of {newest.taken_at:%Y-%m-%d %H:%M} UTC", advice)
    else:
        yield fine("backup", f"{newest.taken_at:%Y-%m-%d %H:%M} UTC")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
