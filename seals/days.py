"""Seal the closed days of every customer: one root a day over its readings and its part of the audit trail.

A seal covers the readings dated in its day that arrived before the day was closed, the late readings and the revisions
of sealed ones since the previous seal, and the customer's entries in the trail since then. Late readings thus never
change the seal of the day that they are dated in. What follows from two instants alone can be computed again at any
time: a seal does not depend on when the task runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from core.crypto.merkle import CHAIN_START, MerkleTree, leaf_hash
from customers.models import Customer, StorageUnit
from readings.models import FutureReading
from readings.storage.closing import closes_at, first_day_closing_after, start_of
from seals.chain import ChainHead, linked_hashes
from seals.contents import Block, Branch, SealContent
from seals.models import DaySeal, ReadingBlock, SettledCheckpoint
from seals.revision_content import revision_leaves
from seals.transactions import AlreadyRunning, sealing_step
from seals.unit_days import in_time_groups, late_groups

_DAY = timedelta(days=1)
BLOCKS_A_BATCH = 1_000

NEXT_SEAL_ID = "SELECT nextval(pg_get_serial_sequence('day_seal', 'id'))"
FIRST_READING = """
SELECT min(first.recorded_at) FROM unnest(%(unit_ids)s::int[]) AS unit (id) CROSS JOIN LATERAL (
    SELECT recorded_at FROM reading
    WHERE storage_unit_id = unit.id AND recorded_at >= %(since)s AND created_at < %(closed_at)s
    ORDER BY recorded_at LIMIT 1
) AS first
"""


@dataclass(frozen=True, slots=True)
class DueDay:
    """The next day to seal of a customer (None: of the system), after its previous seal."""

    customer_id: int | None
    day: date
    closed_at: datetime
    previous: DaySeal | None


def customers_with_due_days(checkpoint: SettledCheckpoint) -> list[Customer | None]:
    """Return the customers without a seal of the newest closed day, and None for the system.

    Those that were created after that day was closed have no day to seal yet, which need not be looked up of each.
    """
    if checkpoint.settled_at is None:
        return []
    newest_closed = first_day_closing_after(checkpoint.settled_at) - _DAY
    if checkpoint.started_at >= closes_at(newest_closed):
        return []
    customers = Customer.objects.filter(created_at__lt=closes_at(newest_closed))
    return [None, *customers.exclude(day_seals__day=newest_closed).order_by("id")]


def due_day(customer: Customer | None, checkpoint: SettledCheckpoint) -> DueDay | None:
    """Return the customer's next day that is closed and complete; None if there is none yet."""
    customer_id = None if customer is None else customer.pk
    previous = _newest_seal(customer_id)
    first = DaySeal.of(customer_id).first()
    if first is None:
        since = max(checkpoint.started_at, customer.created_at) if customer else checkpoint.started_at
        closed_at = closes_at(first_day_closing_after(since))
    else:
        closed_at = first.closed_at
    if checkpoint.settled_at is None or closed_at > checkpoint.settled_at:
        return None
    day = _day_after(customer_id, previous, closed_at)
    closed_at = max(closed_at, closes_at(day))
    if closed_at > checkpoint.settled_at or _waits_for_future_readings(customer_id, day):
        return None
    return DueDay(customer_id, day, closed_at, previous)


def _newest_seal(customer_id: int | None) -> DaySeal | None:
    newest: DaySeal | None = DaySeal.of(customer_id).last()
    return newest


def _day_after(customer_id: int | None, previous: DaySeal | None, first_closed_at: datetime) -> date:
    """Return the day after the previous seal's. Of the days before sealing began those without readings are skipped."""
    last_at_once = first_day_closing_after(first_closed_at - timedelta(microseconds=1))
    since = start_of(previous.day) + _DAY if previous else datetime.min.replace(tzinfo=UTC)
    if previous and previous.day >= last_at_once:
        return previous.day + _DAY
    with connection.cursor() as cursor:
        cursor.execute(
            FIRST_READING, {"unit_ids": _unit_ids(customer_id), "since": since, "closed_at": first_closed_at}
        )
        (first_at,) = cursor.fetchone()
    return last_at_once if first_at is None else min(last_at_once, first_at.date())


def seal_day(due: DueDay, head: ChainHead) -> DaySeal:
    """Seal a closed day; `head` is the head of the trail's chain, which the seal confirms. Raise AlreadyRunning."""
    with sealing_step():
        if _newest_seal(due.customer_id) != due.previous:
            raise AlreadyRunning
        with connection.cursor() as cursor:
            cursor.execute(NEXT_SEAL_ID)
            (seal_id,) = cursor.fetchone()
        reading_count, blocks = _save_blocks(seal_id, due)
        previous_position = due.previous.chain_position if due.previous else 0
        content = SealContent(
            customer_id=due.customer_id,
            sequence=due.previous.sequence + 1 if due.previous else 1,
            day=due.day,
            closed_at=due.closed_at,
            reading_count=reading_count,
            blocks=blocks,
            revisions=Branch.of(revision_leaves(_unit_ids(due.customer_id), _previous_close(due), due.closed_at)),
            entries=Branch.of(linked_hashes(due.customer_id, after=previous_position, through=head.position)),
            chain_position=head.position,
            chain_hash=head.chain_hash,
        )
        previous_root = bytes(due.previous.root) if due.previous else CHAIN_START
        return _save_seal(seal_id, content, previous_root)


def _save_blocks(seal_id: int, due: DueDay) -> tuple[int, Branch]:
    """Save the blocks of the day; return the number of their readings, and the tree over them."""
    tree, reading_count, batch = MerkleTree(), 0, []
    for block in _blocks(due):
        tree.add(leaf_hash(block.content))
        reading_count += block.reading_count
        batch.append(_row_of(seal_id, tree.count, block))
        if len(batch) == BLOCKS_A_BATCH:
            ReadingBlock.objects.bulk_create(batch)
            batch = []
    ReadingBlock.objects.bulk_create(batch)
    return reading_count, Branch(tree.count, tree.root)


def _blocks(due: DueDay) -> Iterator[Block]:
    """Yield the blocks of readings in time, then those of late readings, each in order of unit and time."""
    unit_ids, previous_close = _unit_ids(due.customer_id), _previous_close(due)
    for key, readings in in_time_groups(_without_block(unit_ids, due.day), due.day, due.closed_at):
        yield Block.of(key, readings)
    if previous_close is not None:
        for key, readings in late_groups(unit_ids, previous_close, due.closed_at):
            yield Block.of(key, readings)


def _row_of(seal_id: int, position: int, block: Block) -> ReadingBlock:
    return ReadingBlock(
        seal_id=seal_id,
        position=position,
        storage_unit_id=block.key.storage_unit_id,
        day=block.key.day,
        arrived_at=block.key.arrived_at,
        reading_count=block.reading_count,
        root=block.root,
        fingerprints=block.fingerprints,
    )


def _save_seal(seal_id: int, content: SealContent, previous_root: bytes) -> DaySeal:
    return DaySeal.objects.create(
        id=seal_id,
        customer_id=content.customer_id,
        sequence=content.sequence,
        day=content.day,
        closed_at=content.closed_at,
        block_count=content.blocks.count,
        reading_count=content.reading_count,
        blocks_root=content.blocks.root,
        revision_count=content.revisions.count,
        revisions_root=content.revisions.root,
        entry_count=content.entries.count,
        entries_root=content.entries.root,
        chain_position=content.chain_position,
        chain_hash=content.chain_hash,
        previous_root=previous_root,
        root=content.root_after(previous_root),
    )


def _previous_close(due: DueDay) -> datetime | None:
    return due.previous.closed_at if due.previous else None


def _unit_ids(customer_id: int | None) -> list[int]:
    if customer_id is None:
        return []
    units = StorageUnit.objects.filter(facility__customer_id=customer_id)
    return list(units.order_by("id").values_list("id", flat=True))


def _without_block(unit_ids: list[int], day: date) -> list[int]:
    """Leave out units whose day is sealed: those that another customer had until then."""
    sealed = ReadingBlock.objects.filter(storage_unit_id__in=unit_ids, day=day, arrived_at=None)
    return sorted(set(unit_ids) - set(sealed.values_list("storage_unit_id", flat=True)))


def _waits_for_future_readings(customer_id: int | None, day: date) -> bool:
    """Return whether readings dated in the day, or before, have not taken effect yet."""
    return FutureReading.objects.filter(
        storage_unit__in=_unit_ids(customer_id), recorded_at__lt=start_of(day) + _DAY
    ).exists()
