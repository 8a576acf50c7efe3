"""Verify the chain of a customer's seals: that each follows from the one before and from what it was made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from core.crypto.merkle import CHAIN_START, leaf_hash
from seals.chain import linked_hashes
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
    after, since = (previous.chain_position, previous.closed_at) if previous else (0, None)
    sealed, blocks = seal.content, ReadingBlock.objects.filter(seal=seal).order_by("position").iterator()
    for name, expected, leaves in (
        (
            "entries of the audit trail",
            sealed.entries,
            linked_hashes(seal.customer_id, after=after, through=seal.chain_position),
        ),
        ("blocks of readings", sealed.blocks, (leaf_hash(stored.block.content) for stored in blocks)),
        ("revisions of readings", sealed.revisions, revision_leaves(unit_ids, since, seal.closed_at)),
    ):
        found = Branch.of(leaves)
        if found != expected:
            yield Finding(Change.EDITED, f"{name} in {where}", counts_text(expected.count, found.count))
    if not _is_on_chain(seal):
        yield Finding(
            Change.EDITED, f"audit trail up to {where}", f"Link {seal.chain_position} is not the one that was sealed."
        )


def _is_on_chain(seal: DaySeal) -> bool:
    if seal.chain_position == 0:
        return bytes(seal.chain_hash) == CHAIN_START
    link = ChainLink.objects.filter(position=seal.chain_position).first()
    return link is not None and bytes(link.chain_hash) == bytes(seal.chain_hash)
