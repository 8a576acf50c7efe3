"""Beat's entries are complete after every start, and what people changed in them holds."""

from __future__ import annotations

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from readings.storage.partitions import missing_partitions
from temperature_site.celery import app, create_partitions_ahead
from temperature_site.schedule import ENTRIES, ensure_schedule

pytestmark = pytest.mark.django_db


def rows() -> set[tuple[object, ...]]:
    return set(
        PeriodicTask.objects.values_list(
            "name", "task", "interval__every", "interval__period", "expire_seconds", "enabled"
        )
    )


def test_an_empty_schedule_becomes_complete() -> None:
    added = ensure_schedule()

    assert added == [entry.name for entry in ENTRIES]
    assert rows() == {(entry.name, entry.task, entry.seconds, "seconds", entry.expires, True) for entry in ENTRIES}
    assert ("Send due sources", "ingestion.tasks.send_due_sources", 1, "seconds", 5, True) in rows()


def test_a_second_time_adds_nothing() -> None:
    ensure_schedule()
    before = rows()

    assert ensure_schedule() == []
    assert rows() == before
    assert IntervalSchedule.objects.count() == len({entry.seconds for entry in ENTRIES})


def test_an_edited_entry_keeps_its_edits() -> None:
    ensure_schedule()
    slower = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.MINUTES)
    PeriodicTask.objects.filter(task="readings.tasks.settle_rollups").update(interval=slower, enabled=False)

    ensure_schedule()

    edited = PeriodicTask.objects.get(task="readings.tasks.settle_rollups")
    assert (edited.interval, edited.enabled) == (slower, False)


def test_duplicate_intervals_are_harmless() -> None:
    for _ in range(2):
        IntervalSchedule.objects.create(every=5, period=IntervalSchedule.SECONDS)

    ensure_schedule()

    assert PeriodicTask.objects.count() == len(ENTRIES)


def test_every_entry_names_a_task_that_workers_know() -> None:
    app.loader.import_default_modules()

    assert {entry.task for entry in ENTRIES} <= set(app.tasks)


@pytest.mark.django_db
def test_beat_creates_the_coming_partitions_before_it_starts() -> None:
    create_partitions_ahead()
    assert missing_partitions() == []
