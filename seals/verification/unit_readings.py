"""Verify the readings of one unit against its sealed blocks, the registered late readings and the revisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from core.crypto.merkle import leaf_hash
from readings.models import ReadingRevision
from readings.storage.closing import closes_at
from readings.storage.reading_batch import instant_of
from seals.contents import FINGERPRINT_BYTES, Block, SealedReading, reading_content
from seals.unit_days import before_revision, day_of, identity, undo
from seals.verification.findings import Change, Finding, counts_text, reading_name

# Of one block, this many differing readings are named.
MOST_NAMED = 5
Identity = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as it was sealed, with the instant as of which its readings were sealed."""

    block: Block
    closed_at: datetime


@dataclass(slots=True)
class UnitRecords:
    """What is on record about the readings of one unit.

    name: how findings call the unit. first_closed_at: the customer's days before were closed together, at this instant.
    sealed_through: the last sealed day; None if there is none. waiting: what is dated ahead, and no reading yet.
    unreadable_months: the first days of those with a file that cannot be read, added before a reading after it comes.
    """

    unit_id: int
    name: str
    first_closed_at: datetime | None
    sealed_through: date | None
    last_closed_at: datetime | None
    blocks: dict[date, list[StoredBlock]] = field(default_factory=lambda: defaultdict(list))
    late_counts: dict[date, dict[datetime, int]] = field(default_factory=lambda: defaultdict(dict))
    revisions: dict[date, list[ReadingRevision]] = field(default_factory=lambda: defaultdict(list))
    waiting: dict[date, list[SealedReading]] = field(default_factory=lambda: defaultdict(list))
    unreadable_months: set[date] = field(default_factory=set)

    def arrived_in_time_before(self, day: date) -> datetime:
        """Return the instant before which a reading of `day` had to arrive to be in the block of its day."""
        closed_at = closes_at(day)
        return closed_at if self.first_closed_at is None else max(closed_at, self.first_closed_at)

    def days(self) -> set[date]:
        """Return the days for which readings must exist or have existed."""
        return {*self.blocks, *self.revisions, *self.late_counts}


def verify_unit(records: UnitRecords, readings: Iterable[SealedReading]) -> Iterator[Finding]:
    """Yield what differs between the records of a unit and its readings, which come in order of time."""
    unseen = records.days()
    for day, group in groupby(readings, key=day_of):
        unseen.discard(day)
        yield from _verify_day(records, day, list(group))
    for day in sorted(unseen):
        yield from _verify_day(records, day, [])


def _verify_day(records: UnitRecords, day: date, readings: list[SealedReading]) -> Iterator[Finding]:
    if day.replace(day=1) in records.unreadable_months:
        return
    revisions = records.revisions.get(day, [])
    yield from _check_revisions(records.name, [*readings, *records.waiting.get(day, [])], revisions)
    groups = _by_arrival(records, day, readings)
    for stored in records.blocks.get(day, []):
        current = groups.pop(stored.block.key.arrived_at, [])
        later = [before_revision(each) for each in revisions if each.revised_at >= stored.closed_at]
        limit = records.arrived_in_time_before(day)
        own = [each for each in later if _arrival(each, limit) == stored.block.key.arrived_at]
        yield from _compare(records.name, stored.block, undo(current, own))
    for arrived_at, unsealed in groups.items():
        yield from _check_unsealed(records, day, arrived_at, unsealed)
    yield from _check_late_counts(records, day, readings, revisions)


def _by_arrival(
    records: UnitRecords, day: date, readings: list[SealedReading]
) -> dict[datetime | None, list[SealedReading]]:
    """Return the readings of a day by the arrival that names their block."""
    limit = records.arrived_in_time_before(day)
    groups: dict[datetime | None, list[SealedReading]] = defaultdict(list)
    for reading in readings:
        groups[_arrival(reading, limit)].append(reading)
    return groups


def _arrival(reading: SealedReading, limit: datetime) -> datetime | None:
    arrived_at = instant_of(reading.arrived_at_us)
    return None if arrived_at < limit else arrived_at


def _compare(unit: str, sealed: Block, readings: list[SealedReading]) -> Iterator[Finding]:
    """Yield how the readings of a block differ from what was sealed."""
    found = Block.of(sealed.key, readings)
    if (found.reading_count, found.root) == (sealed.reading_count, sealed.root):
        return
    where = f"readings of {unit} on {sealed.key.day}"
    counts = counts_text(sealed.reading_count, found.reading_count)
    extra, missing = _differences(sealed, readings)
    if not extra and not missing:
        yield Finding(Change.EDITED, where, f"They differ from what was sealed. {counts}")
    for number, reading in enumerate(extra[:MOST_NAMED]):
        is_edit = number < len(missing)
        yield Finding(
            Change.EDITED if is_edit else Change.INSERTED,
            reading_name(unit, reading),
            f"It {'differs from what was sealed' if is_edit else 'was not there when its day was sealed'}. {counts}",
        )
    for position in missing[len(extra) :][:MOST_NAMED]:
        yield Finding(Change.DELETED, f"reading {position + 1} of {sealed.reading_count} in the {where}", counts)


def _differences(sealed: Block, readings: list[SealedReading]) -> tuple[list[SealedReading], list[int]]:
    """Return the readings that were not sealed, and the positions of the sealed ones that are not there."""
    size = FINGERPRINT_BYTES
    positions: dict[bytes, list[int]] = defaultdict(list)
    for number in range(len(sealed.fingerprints) // size):
        positions[sealed.fingerprints[number * size : (number + 1) * size]].append(number)
    extra = []
    for reading in readings:
        known = positions.get(leaf_hash(reading_content(reading))[:size])
        if known:
            known.pop(0)
        else:
            extra.append(reading)
    return extra, sorted(number for numbers in positions.values() for number in numbers)


def _check_unsealed(
    records: UnitRecords, day: date, arrived_at: datetime | None, readings: list[SealedReading]
) -> Iterator[Finding]:
    """Yield readings without a block that must have one, and late ones that nobody registered."""
    if arrived_at is None:
        is_unexpected = records.sealed_through is not None and day <= records.sealed_through
        detail = "Its day was sealed without it."
    elif arrived_at not in records.late_counts.get(day, {}):
        is_unexpected, detail = True, "It arrived after its day was closed, but was not registered as late."
    else:
        is_unexpected = records.last_closed_at is not None and arrived_at < records.last_closed_at
        detail = "It arrived late, and the seal that must hold it does not."
    if is_unexpected:
        for reading in readings[:MOST_NAMED]:
            yield Finding(Change.INSERTED, reading_name(records.name, reading), detail)


def _check_late_counts(
    records: UnitRecords, day: date, readings: list[SealedReading], revisions: list[ReadingRevision]
) -> Iterator[Finding]:
    """Yield arrivals of late readings of which there are more or fewer than were registered."""
    known = {identity(reading) for reading in [*readings, *map(before_revision, revisions)]}
    counts: dict[datetime, int] = defaultdict(int)
    for _, _, arrived_at_us in known:
        counts[instant_of(arrived_at_us)] += 1
    for arrived_at, registered in records.late_counts.get(day, {}).items():
        if counts[arrived_at] != registered:
            yield Finding(
                Change.INSERTED if counts[arrived_at] > registered else Change.DELETED,
                f"late readings of {records.name} on {day} that arrived at {arrived_at:%Y-%m-%d %H:%M:%S.%f} UTC",
                f"{registered} were registered, {counts[arrived_at]} are there.",
            )


def _check_revisions(unit: str, readings: list[SealedReading], revisions: list[ReadingRevision]) -> Iterator[Finding]:
    """Yield readings that are not what their last revision, or the next one, says."""
    current = {identity(reading): reading for reading in readings}
    by_reading: dict[Identity, list[ReadingRevision]] = defaultdict(list)
    for revision in revisions:
        by_reading[identity(before_revision(revision))].append(revision)
    for key, made in by_reading.items():
        earlier = [before_revision(revision) for revision in made]
        for revision, before, following in zip(made, earlier, [*earlier[1:], current.get(key)], strict=True):
            if following != _after(revision, before):
                yield Finding(
                    Change.EDITED,
                    reading_name(unit, before),
                    f"It is not what its revision of {revision.revised_at:%Y-%m-%d %H:%M:%S} UTC made it.",
                )


def _after(revision: ReadingRevision, before: SealedReading) -> SealedReading | None:
    """Return the reading after the revision; None if it was withdrawn."""
    if revision.is_withdrawal or revision.after_quality_score is None or revision.after_equipment_status_id is None:
        return None
    return before._replace(
        temperature_c=revision.after_temperature_c,
        quality_score=revision.after_quality_score,
        equipment_status_id=revision.after_equipment_status_id,
        scale=revision.after_scale,
    )
