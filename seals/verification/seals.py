"""Verify the chain of a customer's seals: that each follows from the one before and from what it was made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from core.crypto.merkle import CHAIN_START, leaf_hash
from seals.contents import Branch
from seals.models import ChainLink, DaySeal, ReadingBlock
from seals.revision_content import revision_leaves
from seals.verification.findings import Change, Finding, counts_text

_DAY = timedelta(days=1)


def verify_seals(customer_id: int | None, name: str, unit_ids: list[int]) -> Iterator[Finding]:
    """Yield what is wrong with the seals of a customer, called `name`, or of the system (None)."""
    previous: DaySeal | None = None
    first_closed_at = None
    for seal in DaySeal.of(customer_id).iterator():
        first_closed_at = first_closed_at or seal.closed_at
        where = f"seal {seal.sequence} of {name}, {seal.day}"
        yield from _check_order(seal, previous, where)
        previous_root = bytes(previous.root) if previous else CHAIN_START
        if bytes(seal.previous_root) != previous_root or seal.content.root_after(previous_root) != bytes(seal.root):
            yield Finding(Change.EDITED, where, "Its root does not follow from its content and the seal before it.")
        yield from _check_parts(seal, previous, where, unit_ids)
        previous = seal


def _check_order(seal: DaySeal, previous: DaySeal | None, where: str) -> Iterator[Finding]:
    expected = previous.sequence + 1 if previous else 1
    if seal.sequence != expected:
        yield Finding(Change.DELETED, f"seal {expected} before {where}", "The sequence of seals has a gap.")
    if previous is None:
        return
    if seal.day <= previous.day:
        yield Finding(Change.REORDERED, where, f"It follows the seal of {previous.day}.")
    elif seal.closed_at > previous.closed_at and seal.day != previous.day + _DAY:
        yield Finding(Change.DELETED, f"seal between {previous.day} and {where}", "A day has no seal.")


def _check_parts(seal: DaySeal, previous: DaySeal | None, where: str, unit_ids: list[int]) -> Iterator[Finding]:
    """Yield the parts of a seal whose rows are not those that it was made of."""
    links = ChainLink.objects.filter(
        customer_id=seal.customer_id,
        position__gt=previous.chain_position if previous else 0,
        position__lte=seal.chain_position,
    )
    entries = Branch.of(map(bytes, links.order_by("position").values_list("entry_hash", flat=True).iterator()))
    if entries != Branch(seal.entry_count, bytes(seal.entries_root)):
        yield Finding(
            Change.EDITED,
            f"entries of the audit trail in {where}",
            counts_text(seal.entry_count, entries.count),
        )
    blocks = Branch.of(
        leaf_hash(stored.block.content)
        for stored in ReadingBlock.objects.filter(seal=seal).order_by("position").iterator()
    )
    if blocks != Branch(seal.block_count, bytes(seal.blocks_root)):
        yield Finding(Change.EDITED, f"blocks of readings in {where}", counts_text(seal.block_count, blocks.count))
    since = previous.closed_at if previous else None
    revisions = Branch.of(revision_leaves(unit_ids, since, seal.closed_at))
    if revisions != Branch(seal.revision_count, bytes(seal.revisions_root)):
        yield Finding(
            Change.EDITED,
            f"revisions of readings in {where}",
            counts_text(seal.revision_count, revisions.count),
        )
    if not _is_on_chain(seal):
        yield Finding(
            Change.EDITED, f"audit trail up to {where}", f"Link {seal.chain_position} is not the one that was sealed."
        )


def _is_on_chain(seal: DaySeal) -> bool:
    if seal.chain_position == 0:
        return bytes(seal.chain_hash) == CHAIN_START
    link = ChainLink.objects.filter(position=seal.chain_position).first()
    return link is not None and bytes(link.chain_hash) == bytes(seal.chain_hash)
