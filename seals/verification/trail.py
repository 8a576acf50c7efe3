"""Verify that the entries of the audit trail are those that were chained, in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.db import connection

from core.crypto.merkle import CHAIN_START, link_hash
from seals.chain import ENTRY_TEXTS, entry_hash
from seals.verification.findings import Change, Finding

ROWS_A_FETCH = 5_000

LINKED_ENTRIES = f"""
SELECT link.position, link.entry_id, link.customer_id, link.entry_hash, link.chain_hash,
    entry.id, entry.customer_id, {ENTRY_TEXTS}
FROM audit_entry AS entry FULL JOIN audit_chain_link AS link ON link.entry_id = entry.id
ORDER BY coalesce(link.entry_id, entry.id)
"""  # noqa: S608  constants only


class ChainedEntry(NamedTuple):
    """A link with its entry. One of them is missing where the other was deleted or inserted."""

    position: int | None
    linked_id: int | None
    linked_customer_id: int | None
    entry_hash: bytes
    chain_hash: bytes
    entry_id: int | None
    customer_id: int | None
    texts: tuple[str | None, ...]


def verify_trail() -> Iterator[Finding]:
    """Yield what differs from the chain. Entries after the last link are still to be chained.

    Runs in the caller's transaction, so that entries and links are seen as of one moment.
    """
    yield from check_chain(_chained_entries())


def check_chain(rows: Iterable[ChainedEntry]) -> Iterator[Finding]:
    """Yield what is wrong with a chain whose links and entries come in the order of the entries' ids."""
    position, chain_hash = 0, CHAIN_START
    unlinked: list[ChainedEntry] = []
    for row in rows:
        if row.position is None:
            unlinked.append(row)
            continue
        # A link follows, so these are not new.
        yield from map(_inserted, unlinked)
        unlinked = []
        if row.position != position + 1:
            yield _out_of_order(row, position)
        own_hash = entry_hash(row.texts)
        if row.entry_id is None:
            yield Finding(Change.DELETED, f"entry {row.linked_id} of the audit trail", "Its link has no entry.")
        elif own_hash != row.entry_hash or row.customer_id != row.linked_customer_id:
            yield Finding(
                Change.EDITED, f"entry {row.entry_id} of the audit trail", "It differs from what was chained."
            )
        if link_hash(chain_hash, row.entry_hash) != row.chain_hash:
            yield Finding(
                Change.EDITED,
                f"link {row.position} of the audit trail, of entry {row.linked_id}",
                "It does not follow from the link before it.",
            )
        position, chain_hash = row.position, row.chain_hash


def _out_of_order(row: ChainedEntry, position: int) -> Finding:
    if (row.position or 0) <= position:
        return Finding(Change.REORDERED, f"link {row.position} of the audit trail", f"It comes after link {position}.")
    return Finding(
        Change.DELETED,
        f"links {position + 1} to {(row.position or 0) - 1} of the audit trail",
        f"Link {row.position} follows link {position}.",
    )


def _inserted(row: ChainedEntry) -> Finding:
    return Finding(Change.INSERTED, f"entry {row.entry_id} of the audit trail", "It was never chained.")


def _chained_entries() -> Iterator[ChainedEntry]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(LINKED_ENTRIES)
        while rows := cursor.fetchmany(ROWS_A_FETCH):
            for position, linked_id, linked_customer, own_hash, chain_hash, entry_id, customer_id, *texts in rows:
                yield ChainedEntry(
                    position,
                    linked_id,
                    linked_customer,
                    bytes(own_hash or b""),
                    bytes(chain_hash or b""),
                    entry_id,
                    customer_id,
                    tuple(texts),
                )
