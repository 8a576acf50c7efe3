"""Writers, readers and runs of archiving at the same time: nothing is stored twice, and nobody waits for long."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from customers.models import Sensor
from readings.models import Reading
from readings.storage.archive import archiving, reading
from readings.storage.archive.archiving import Outcome, archive_month
from readings.storage.archive.leftovers import lock_archiving
from readings.storage.archive.reading import recall, with_archived
from readings.storage.archive.restoring import restore_month
from readings.storage.archive.rows import ArrivedBatch, fill
from readings.storage.archive.state import AlreadyArchiving, CannotArchive
from readings.storage.archive.tests.world import MONTH, START, stored
from readings.storage.reading_batch import ReadingRow
from readings.storage.store import NewSpan, StoreResult
from tests.races import is_waited_for, race
from tests.running_system import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

NOON = START + timedelta(days=10, hours=12)


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "LOCK_ATTEMPTS", 1)


@pytest.fixture
def known(sensors: list[Sensor]) -> ReadingRow:
    """Return a stored reading of the month."""
    row = ReadingRow(sensors[0].storage_unit_id, sensors[0].pk, NOON, 4.0)
    stored(row)
    return row


def archive() -> Outcome:
    try:
        return archive_month(MONTH)
    finally:
        connection.close()


def test_a_month_is_not_exchanged_under_a_writer_that_found_it_in_the_table(known: ReadingRow) -> None:
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert not recall([known.storage_unit_id], NOON, NOON)
        with pytest.raises(CannotArchive, match="others used the readings"):
            pool.submit(archive).result(timeout=30)
        assert stored(known).duplicates == 1
    assert Reading.objects.count() == 1


def test_a_reading_that_is_stored_during_a_run_keeps_the_month_in_the_table(known: ReadingRow) -> None:
    late = known._replace(recorded_at=NOON + timedelta(minutes=1))
    with pytest.raises(CannotArchive):
        race(lambda: stored(late), archive)
    assert Reading.objects.count() == 2
    assert archive_month(MONTH).reading_count == 2


def test_writers_wait_for_a_run_no_longer_than_its_lock_timeout(known: ReadingRow, sensors: list[Sensor]) -> None:
    other = ReadingRow(sensors[1].storage_unit_id, sensors[1].pk, NOON, 5.0)

    def store_other() -> int:
        try:
            return stored(other).stored
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool, transaction.atomic():
        # This transaction outlasts everything: only the run's timeout lets the other writer go on.
        stored(known._replace(recorded_at=NOON + timedelta(minutes=1)))
        run = pool.submit(archive)
        wait_until("the run waits", lambda: is_waited_for() or run.done(), seconds=30, look_every=0.01)
        assert pool.submit(store_other).result(timeout=30) == 1
        with pytest.raises(CannotArchive, match="others used the readings"):
            run.result(timeout=30)


def test_a_late_reading_waits_for_the_restoration_of_its_month(known: ReadingRow) -> None:
    late = known._replace(recorded_at=NOON + timedelta(minutes=1))
    archive_month(MONTH)

    assert race(lambda: restore_month(MONTH), lambda: stored(late, known)) == StoreResult(
        stored=1, duplicates=1, new_spans={known.storage_unit_id: NewSpan(late.recorded_at, late.recorded_at)}
    )
    assert Reading.objects.count() == 2


def test_readers_that_wait_for_each_other_both_read(sensors: list[Sensor], monkeypatch: pytest.MonkeyPatch) -> None:
    early, late = START + timedelta(days=3), START + timedelta(days=20)
    keys = ((sensors[1], early), (sensors[0], late))
    stored(*(ReadingRow(sensor.storage_unit_id, sensor.pk, recorded_at, 4.0) for sensor, recorded_at in keys))
    archive_month(MONTH)
    unit_ids = [sensor.storage_unit_id for sensor in sensors[:2]]
    others: list[Future[int]] = []

    def read_all() -> int:
        try:
            return with_archived(unit_ids, [(early, late)], Reading.objects.count)
        finally:
            connection.close()

    def fill_and_let_another_reader_begin(rows: ArrivedBatch) -> None:
        fill(rows)
        if not others:
            others.append(pool.submit(read_all))
            # It has the later reading, which comes first in order of units, and waits for the earlier one.
            wait_until("it waits", is_waited_for, seconds=30, look_every=0.01)

    monkeypatch.setattr(reading, "fill", fill_and_let_another_reader_begin)
    with ThreadPoolExecutor(1) as pool:
        assert with_archived(unit_ids, [(early, early), (late, late)], Reading.objects.count) == 2
        assert others[0].result(timeout=30) == 2


def test_a_second_run_at_the_same_time_does_nothing(known: ReadingRow) -> None:
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        lock_archiving()
        with pytest.raises(AlreadyArchiving):
            pool.submit(archive).result(timeout=30)
    assert archive_month(MONTH).reading_count == 1
    assert stored(known).duplicates == 1
