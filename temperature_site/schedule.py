"""The handful of beat's entries: declared once here, kept as rows that people edit in the admin.

Each customer's own interval lives on its source, not here.
"""

from dataclasses import dataclass

from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask


@dataclass(frozen=True)
class Entry:
    """A task and how often it is sent; a message no worker took within `expires` seconds is dropped."""

    name: str
    task: str
    seconds: int
    expires: int
    description: str


ENTRIES = (
    Entry(
        name="Send due sources",
        task="ingestion.tasks.send_due_sources",
        seconds=5,
        expires=5,
        description="Claims the sources whose poll is due and sends a message for each.",
    ),
    Entry(
        name="Watch sources and units",
        task="ingestion.tasks.watch",
        seconds=10,
        expires=10,
        description="Opens and closes the alarms that hang on time: sources down, silent units, faulty sensors.",
    ),
    Entry(
        name="Check MKT limits",
        task="alarms.tasks.check_mkt",
        seconds=60,
        expires=60,
        description="Judges the mean kinetic temperature of units that have a limit on it and got readings.",
    ),
    Entry(
        name="Send due messages",
        task="alarms.tasks.send_due_messages",
        seconds=5,
        expires=5,
        description="Claims the notifications that are due and has each sent.",
    ),
    Entry(
        name="Remind of live alarms",
        task="alarms.tasks.remind",
        seconds=10,
        expires=10,
        description="Makes reminders, escalations, and what maintenance or a rule's hours held back.",
    ),
    Entry(
        name="See to alarm drills",
        task="alarms.tasks.see_to_drills",
        seconds=10,
        expires=10,
        description="Starts the alarm drills that are due and ends those that are through.",
    ),
    Entry(
        name="Settle roll-ups",
        task="readings.tasks.settle_rollups",
        seconds=30,
        expires=30,
        description="Recomputes the time-weighted figures of hours that new readings touched.",
    ),
    Entry(
        name="Make partitions",
        task="readings.tasks.make_partitions",
        seconds=3600,
        expires=3600,
        description="Makes the coming months' partitions of the readings table.",
    ),
    # Outlive what may stand before them in the queue: a late heartbeat is a sign of life, too.
    Entry(
        name="Heartbeat",
        task="temperature_site.tasks.note_heartbeat",
        seconds=20,
        expires=180,
        description="Shows the health check that workers take what beat sends.",
    ),
    Entry(
        name="Heartbeat of the slow queue",
        task="temperature_site.tasks.note_slow_heartbeat",
        seconds=20,
        expires=180,
        description="The same for the workers of the sources that fail or dawdle.",
    ),
)


@transaction.atomic
def ensure_schedule() -> list[str]:
    """Add the entries that are missing and return their names.

    An entry is known by its name. One that is there stays as it is, so what people changed in the admin holds; to do
    without an entry, disable it instead of deleting it.
    """
    added = []
    for entry in ENTRIES:
        _, is_new = PeriodicTask.objects.get_or_create(name=entry.name, defaults=_defaults(entry))
        if is_new:
            added.append(entry.name)
    return added


def _defaults(entry: Entry) -> dict[str, object]:
    return {
        "task": entry.task,
        "interval": _interval(entry.seconds),
        "expire_seconds": entry.expires,
        "description": entry.description,
    }


def _interval(seconds: int) -> IntervalSchedule:
    """The library does not keep intervals unique, so there may be several alike; any will do."""
    alike = {"every": seconds, "period": IntervalSchedule.SECONDS}
    return IntervalSchedule.objects.filter(**alike).first() or IntervalSchedule.objects.create(**alike)
