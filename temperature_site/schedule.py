"""The entries of beat's schedule: declared here, stored as rows that people edit in the admin.

Each customer's own interval is stored on its source, not here.
"""

from dataclasses import dataclass

from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask


@dataclass(frozen=True)
class ScheduleEntry:
    """A task and how often it is sent; a message that no worker received within `expires` seconds is dropped."""

    name: str
    task: str
    seconds: int
    expires: int
    description: str


ENTRIES = (
    ScheduleEntry(
        name="Send due sources",
        task="ingestion.tasks.send_due_sources",
        seconds=1,
        expires=5,
        description="Claims the sources whose poll is due and sends messages for them.",
    ),
    ScheduleEntry(
        name="Watch sources and units",
        task="ingestion.tasks.watch",
        seconds=10,
        expires=10,
        description="Opens and closes time-based alarms: sources down, missing data, sensor faults.",
    ),
    ScheduleEntry(
        name="Load due readings",
        task="ingestion.tasks.load_due_readings",
        seconds=10,
        expires=10,
        description="Lets readings that are dated ahead take effect when their time has come.",
    ),
    ScheduleEntry(
        name="Send due imports",
        task="ingestion.tasks.send_due_imports",
        seconds=5,
        expires=5,
        description="Claims the imports that are to be stored or undone, and sends a message for each.",
    ),
    ScheduleEntry(
        name="Evaluate units again",
        task="alarms.tasks.reevaluate",
        seconds=10,
        expires=10,
        description="Evaluates units again whose limits were chosen for the first time or backdated.",
    ),
    ScheduleEntry(
        name="Delete old deliveries",
        task="ingestion.tasks.purge_deliveries",
        seconds=3600,
        expires=3600,
        description="Deletes deliveries and decided rejected rows whose retention is over.",
    ),
    ScheduleEntry(
        name="Delete old messages",
        task="alarms.tasks.purge_messages",
        seconds=3600,
        expires=3600,
        description="Deletes messages of closed alarms, and their attempts, whose retention is over.",
    ),
    ScheduleEntry(
        name="Check MKT limits",
        task="alarms.tasks.check_mkt",
        seconds=60,
        expires=60,
        description="Checks the mean kinetic temperature of units that have an MKT limit and new readings.",
    ),
    ScheduleEntry(
        name="Retry failed evaluations",
        task="alarms.tasks.retry_evaluations",
        seconds=15,
        expires=15,
        description="Evaluates again the storage units whose readings could not be evaluated.",
    ),
    ScheduleEntry(
        name="Check sensors' clocks",
        task="alarms.tasks.check_clocks",
        seconds=300,
        expires=300,
        description="Measures the drift of the sensors' clocks; opens and closes the alarms of those that are wrong.",
    ),
    ScheduleEntry(
        name="Send due messages",
        task="alarms.tasks.send_due_messages",
        seconds=2,  # most of the time that passes until an alarm is sent
        expires=5,
        description="Claims the notifications that are due and sends a task for each.",
    ),
    ScheduleEntry(
        name="Remind of live alarms",
        task="alarms.tasks.remind",
        seconds=10,
        expires=10,
        description="Creates reminders, escalations, and notifications held back by maintenance or a rule's hours.",
    ),
    ScheduleEntry(
        name="See to alarm drills",
        task="alarms.tasks.see_to_drills",
        seconds=10,
        expires=10,
        description="Starts the alarm drills that are due and ends those that are complete.",
    ),
    ScheduleEntry(
        name="Settle roll-ups",
        task="readings.tasks.settle_rollups",
        seconds=30,
        expires=30,
        description="Recomputes the time-weighted values of hours with new readings.",
    ),
    ScheduleEntry(
        name="Make partitions",
        task="readings.tasks.make_partitions",
        seconds=3600,
        expires=3600,
        description="Creates the coming months' partitions of the readings table and closes those of past ones.",
    ),
    ScheduleEntry(
        name="Count earlier readings",
        task="readings.tasks.count_earlier_readings",
        seconds=600,
        expires=600,
        description="Counts the readings of earlier weeks, so that totals of lists sum only the days since.",
    ),
    ScheduleEntry(
        name="Archive readings",
        task="readings.tasks.archive_readings",
        seconds=3600,
        expires=3600,
        description="Moves months of readings older than data_retention_days from the database to files.",
    ),
    ScheduleEntry(
        name="Seal the audit trail",
        task="seals.tasks.seal_trail",
        seconds=60,
        expires=60,
        description="Chains the entries of the audit trail and seals closed days of readings and entries.",
    ),
    ScheduleEntry(
        name="Stamp seals",
        task="seals.tasks.stamp_roots",
        seconds=600,
        expires=600,
        description="Has new seals stamped by the time-stamping service, if one is configured.",
    ),
    ScheduleEntry(
        name="Watch the system",
        task="temperature_site.tasks.watch_system",
        seconds=60,
        expires=60,
        description="Tells the operator about problems of the system itself and sends the heartbeat to HEARTBEAT_URL.",
    ),
    # These expire later than the messages ahead of them in the queue: a late heartbeat counts, too.
    ScheduleEntry(
        name="Heartbeat",
        task="temperature_site.tasks.note_heartbeat",
        seconds=20,
        expires=180,
        description="Shows the health check that workers run what beat sends.",
    ),
    ScheduleEntry(
        name="Heartbeat of the slow queue",
        task="temperature_site.tasks.note_slow_heartbeat",
        seconds=20,
        expires=180,
        description="The same for the workers of failing and slow sources.",
    ),
    ScheduleEntry(
        name="Heartbeat of the queue of messages",
        task="temperature_site.tasks.note_message_heartbeat",
        seconds=20,
        expires=180,
        description="The same for the workers that send messages of alarms.",
    ),
)


@transaction.atomic
def ensure_schedule() -> list[str]:
    """Add the missing entries and return their names.

    An entry is identified by its name. An existing one is left as it is, so changes made in the admin persist; to go
    without an entry, disable it instead of deleting it.
    """
    added = []
    for entry in ENTRIES:
        _, is_new = PeriodicTask.objects.get_or_create(name=entry.name, defaults=_defaults(entry))
        if is_new:
            added.append(entry.name)
    return added


def _defaults(entry: ScheduleEntry) -> dict[str, object]:
    return {
        "task": entry.task,
        "interval": _interval(entry.seconds),
        "expire_seconds": entry.expires,
        "description": entry.description,
    }


def _interval(seconds: int) -> IntervalSchedule:
    """Return an interval of that length. The library does not keep intervals unique, so any equal one will do."""
    interval = IntervalSchedule.objects.filter(every=seconds, period=IntervalSchedule.SECONDS).first()
    return interval or IntervalSchedule.objects.create(every=seconds, period=IntervalSchedule.SECONDS)
