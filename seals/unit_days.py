"""The readings of a seal as they were when their day was closed, in order and in bounded memory.

Readings that were replaced or withdrawn since are shown as they were then, from their revisions. So the sealing task
may run at any time after a day is closed, and verification any time after that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain, groupby
from operator import attrgetter

import polars as pl
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models.functions import TruncMonth

from core.db.prepared import Parameters
from readings.models import LateReadings, ReadingRevision
from readings.storage.archive.reading import archived_parts, recall
from readings.storage.closing import closes_at, start_of
from readings.storage.reading_batch import instant_of, microseconds_of
from seals.contents import BlockKey, SealedReading

ROWS_A_FETCH = 10_000
# The columns of the archive's files in the order of SealedReading.
FILE_COLUMNS = [
    "storage_unit_id", "recorded_at", "sensor_id", "created_at",
    "temperature_c", "quality_score", "equipment_status_id", "scale",
]  # fmt: skip
_DAY = timedelta(days=1)
Group = tuple[BlockKey, Iterable[SealedReading]]

COLUMNS = """reading.storage_unit_id, (extract(epoch FROM recorded_at) * 1000000)::bigint, sensor_id,
    (extract(epoch FROM created_at) * 1000000)::bigint, temperature_c, quality_score, equipment_status_id, scale"""

IN_TIME = f"""
SELECT {COLUMNS} FROM reading
WHERE storage_unit_id = ANY(%(unit_ids)s) AND recorded_at >= %(first)s AND recorded_at < %(until)s
    AND created_at < %(closed_at)s
ORDER BY storage_unit_id, recorded_at, sensor_id
"""  # noqa: S608  constants only

LATE = f"""
SELECT {COLUMNS}
FROM late_readings AS late JOIN reading
    ON reading.storage_unit_id = late.storage_unit_id AND reading.created_at = late.arrived_at
    AND reading.recorded_at >= late.day::timestamp AT TIME ZONE 'UTC'
    AND reading.recorded_at < (late.day + 1)::timestamp AT TIME ZONE 'UTC'
WHERE late.storage_unit_id = ANY(%(unit_ids)s)
    AND late.arrived_at >= %(arrived_from)s AND late.arrived_at < %(closed_at)s
    AND NOT EXISTS (
        SELECT FROM reading_block AS block WHERE block.storage_unit_id = late.storage_unit_id
            AND block.day = late.day AND block.arrived_at = late.arrived_at
    )
ORDER BY late.storage_unit_id, late.day, late.arrived_at, recorded_at, sensor_id
"""  # noqa: S608  constants only


ONE_ARRIVAL = f"""
SELECT {COLUMNS} FROM reading
WHERE storage_unit_id = %(unit_id)s AND recorded_at >= %(first)s AND recorded_at < %(until)s
    AND created_at = %(arrived_at)s
ORDER BY recorded_at, sensor_id
"""  # noqa: S608  constants only


def in_time_groups(
    unit_ids: Sequence[int], day: date, closed_at: datetime, archived: Sequence[SealedReading] = ()
) -> Iterator[Group]:
    """Yield the readings dated in `day` that had arrived at `closed_at`, one group per unit that has any.

    archived: those of one unit that only files hold. No day is archived before it is sealed.
    """
    parameters = {
        "unit_ids": list(unit_ids),
        "first": start_of(day),
        "until": start_of(day) + _DAY,
        "closed_at": closed_at,
    }
    revised = _revised(
        ReadingRevision.objects.filter(
            storage_unit_id__in=unit_ids,
            recorded_at__gte=parameters["first"],
            recorded_at__lt=parameters["until"],
            arrived_at__lt=closed_at,
            revised_at__gte=closed_at,
        ),
        is_late=False,
    )
    stored = (
        (BlockKey(unit_id, day, None), readings)
        for unit_id, readings in groupby(
            chain(_readings(IN_TIME, parameters), archived), key=attrgetter("storage_unit_id")
        )
    )
    return _as_they_were(stored, revised)


def late_groups(unit_ids: Sequence[int], arrived_from: datetime, closed_at: datetime) -> Iterator[Group]:
    """Yield the late readings that arrived from `arrived_from` and before `closed_at`, one group per arrival.

    In a transaction that writes: late readings may have been archived with their month before they are sealed.
    """
    _recall_late(unit_ids, arrived_from, closed_at)
    parameters = {"unit_ids": list(unit_ids), "arrived_from": arrived_from, "closed_at": closed_at}
    revised = _revised(
        ReadingRevision.objects.filter(
            storage_unit_id__in=unit_ids,
            arrived_at__gte=arrived_from,
            arrived_at__lt=closed_at,
            revised_at__gte=closed_at,
        ),
        is_late=True,
    )
    stored = ((key, readings) for key, readings in groupby(_readings(LATE, parameters), key=_key_of_late))
    return _as_they_were(stored, revised)


def _recall_late(unit_ids: Sequence[int], arrived_from: datetime, closed_at: datetime) -> None:
    late = LateReadings.objects.filter(
        storage_unit_id__in=unit_ids, arrived_at__gte=arrived_from, arrived_at__lt=closed_at
    )
    for month in (
        late.annotate(month=TruncMonth("day"))
        .values("month")
        .annotate(unit_ids=ArrayAgg("storage_unit_id", distinct=True))
        .order_by("month")
    ):
        recall(month["unit_ids"], start_of(month["month"]), start_of(month["month"]))


def archived_readings(unit_id: int, first: datetime, last: datetime) -> Iterator[SealedReading]:
    """Yield what only files hold of a unit between these instants, both included, in order of time and sensor.

    Raise ArchiveUnavailable.
    """
    for _, rows in archived_parts(unit_id, first, last):
        yield from readings_of(rows())


def readings_of(rows: pl.DataFrame) -> Iterator[SealedReading]:
    """Yield the rows of a file of the archive as readings."""
    columns = rows.with_columns(pl.col("recorded_at", "created_at").to_physical()).select(FILE_COLUMNS)
    yield from map(SealedReading._make, columns.iter_rows())


def sealed_readings(key: BlockKey, closed_at: datetime) -> list[SealedReading]:
    """Return the readings of one block of a seal with `closed_at`, as they were then."""
    archived = _archived_of_block(key, closed_at)
    if key.arrived_at is None:
        groups = in_time_groups([key.storage_unit_id], key.day, closed_at, archived)
        return [reading for _, readings in groups for reading in readings]
    first, until = start_of(key.day), start_of(key.day) + _DAY
    parameters = {"unit_id": key.storage_unit_id, "first": first, "until": until, "arrived_at": key.arrived_at}
    revisions = ReadingRevision.objects.filter(
        storage_unit_id=key.storage_unit_id,
        recorded_at__gte=first,
        recorded_at__lt=until,
        arrived_at=key.arrived_at,
        revised_at__gte=closed_at,
    )
    return undo([*_readings(ONE_ARRIVAL, parameters), *archived], map(before_revision, revisions))


def _archived_of_block(key: BlockKey, closed_at: datetime) -> list[SealedReading]:
    """Return the readings of a block that only files hold."""
    last = start_of(key.day) + _DAY - timedelta(microseconds=1)
    found = archived_readings(key.storage_unit_id, start_of(key.day), last)
    if key.arrived_at is None:
        return [each for each in found if each.arrived_at_us < microseconds_of(closed_at)]
    return [each for each in found if each.arrived_at_us == microseconds_of(key.arrived_at)]


def before_revision(revision: ReadingRevision) -> SealedReading:
    """Return the reading as it was before the revision."""
    return SealedReading(
        revision.storage_unit_id,
        microseconds_of(revision.recorded_at),
        revision.sensor_id,
        microseconds_of(revision.arrived_at),
        revision.before_temperature_c,
        revision.before_quality_score,
        revision.before_equipment_status_id,
        revision.before_scale,
    )


def day_of(reading: SealedReading) -> date:
    """Return the day of UTC that the reading is dated in."""
    return instant_of(reading.recorded_at_us).astimezone(UTC).date()


def identity(reading: SealedReading) -> tuple[int, int, int]:
    """Return what tells a unit's reading from its others, those withdrawn earlier included."""
    return reading.recorded_at_us, reading.sensor_id, reading.arrived_at_us


def undo(readings: Iterable[SealedReading], earlier: Iterable[SealedReading]) -> list[SealedReading]:
    """Return the readings with each of `earlier`, the oldest first, put in the place of what it became."""
    state = {identity(reading): reading for reading in readings}
    for before in reversed(list(earlier)):
        state[identity(before)] = before
    return sorted(state.values(), key=lambda reading: identity(reading))


def _revised(revisions: Iterable[ReadingRevision], *, is_late: bool) -> dict[BlockKey, list[SealedReading]]:
    """Return what was before each revision, in order, by its block. Late ones belong to the block of their arrival."""
    earlier: dict[BlockKey, list[SealedReading]] = defaultdict(list)
    for revision in revisions:
        before = before_revision(revision)
        key = BlockKey(revision.storage_unit_id, day_of(before), revision.arrived_at if is_late else None)
        if not is_late or revision.arrived_at >= closes_at(key.day):
            earlier[key].append(before)
    return earlier


def _as_they_were(stored: Iterator[Group], revised: dict[BlockKey, list[SealedReading]]) -> Iterator[Group]:
    """Yield the stored groups, those with revisions as before them, and in their places those emptied since."""
    waiting = sorted(revised)
    for key, readings in stored:
        while waiting and waiting[0] < key:
            yield waiting[0], undo([], revised[waiting.pop(0)])
        if waiting and waiting[0] == key:
            readings = undo(readings, revised[waiting.pop(0)])
        yield key, readings
    for key in waiting:
        yield key, undo([], revised[key])


def _key_of_late(reading: SealedReading) -> BlockKey:
    return BlockKey(reading.storage_unit_id, day_of(reading), instant_of(reading.arrived_at_us))


def _readings(sql: str, parameters: Parameters) -> Iterator[SealedReading]:
    """Yield the readings of a query of COLUMNS through a server-side cursor, within the caller's transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(ROWS_A_FETCH):
            yield from map(SealedReading._make, rows)
