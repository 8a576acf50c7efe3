"""The chain over the entries of the audit trail, in the order of their ids.

Entries are written without any link, so that transactions which write them never wait for one another. The sealing task
links them afterwards, up to the last entry that is settled, see `seals.checkpoint`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from core.crypto.merkle import CHAIN_START, leaf_hash, link_hash
from seals.contents import record_content
from seals.models import ChainLink
from seals.transactions import sealing_step

ENTRIES_A_BATCH = 5_000

# A new column of the trail is added at the end; it must be empty in the entries that exist by then.
ENTRY_COLUMNS = (
    "id",
    "happened_at",
    "action",
    "actor_kind",
    "actor_id",
    "actor_name",
    "actor_display_name",
    "origin",
    "process",
    "address",
    "request_id",
    "database_user",
    "model",
    "object_id",
    "object_label",
    "customer_id",
    "storage_unit_id",
    "person_id",
    "before",
    "after",
    "reason",
    "transaction_id",
)
_INSTANTS = ("happened_at",)


def as_text(column: str) -> str:
    """Return SQL for a column of an entry as it is hashed: PostgreSQL's text, instants in UTC with microseconds."""
    if column in _INSTANTS:
        return f"""to_char(entry."{column}" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return f'entry."{column}"::text'


ENTRY_TEXTS = ", ".join(as_text(column) for column in ENTRY_COLUMNS)
UNLINKED = f"""
SELECT entry.id, entry.customer_id, {ENTRY_TEXTS} FROM audit_entry AS entry
WHERE entry.id > %(after)s AND entry.id <= %(through)s ORDER BY entry.id LIMIT %(most)s
"""  # noqa: S608  constants only


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last link of the chain; position 0 before the first."""

    position: int = 0
    entry_id: int = 0
    chain_hash: bytes = CHAIN_START


def chain_head() -> ChainHead:
    """Return the head of the chain."""
    last = ChainLink.objects.order_by("-position").first()
    return ChainHead() if last is None else ChainHead(last.position, last.entry_id, bytes(last.chain_hash))


def entry_hash(texts: tuple[str | None, ...]) -> bytes:
    """Return the hash of an entry from its ENTRY_COLUMNS as text."""
    return leaf_hash(record_content(ENTRY_COLUMNS, texts))


def linked_hashes(customer_id: int | None, *, after: int, through: int) -> Iterator[bytes]:
    """Yield the hashes of a customer's entries, or the system's, between two positions of the chain, in order."""
    links = ChainLink.objects.filter(customer_id=customer_id, position__gt=after, position__lte=through)
    return map(bytes, links.order_by("position").values_list("entry_hash", flat=True).iterator())


def chain_entries(through_id: int) -> int:
    """Link the entries up to `through_id` that have no link yet, in transactions of a batch each; return their number.

    Raise AlreadyRunning.
    """
    linked = 0
    while batch := _chain_batch(through_id):
        linked += batch
    return linked


def _chain_batch(through_id: int) -> int:
    with sealing_step(), connection.cursor() as cursor:
        head = chain_head()
        cursor.execute(UNLINKED, {"after": head.entry_id, "through": through_id, "most": ENTRIES_A_BATCH})
        links = list(_links_after(head, cursor.fetchall()))
        ChainLink.objects.bulk_create(links)
    return len(links)


def _links_after(head: ChainHead, rows: list[tuple[int, int | None, *tuple[str | None, ...]]]) -> Iterator[ChainLink]:
    chain_hash = head.chain_hash
    for position, (entry_id, customer_id, *texts) in enumerate(rows, head.position + 1):
        own_hash = entry_hash(tuple(texts))
        chain_hash = link_hash(chain_hash, own_hash)
        yield ChainLink(
            position=position,
            entry_id=entry_id,
            customer_id=customer_id,
            entry_hash=own_hash,
            chain_hash=chain_hash,
        )
