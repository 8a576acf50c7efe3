"""The audit trail's chain: built behind the writers, and no change of an entry goes unnoticed."""

from __future__ import annotations

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.models import AuditEntry
from core.crypto.merkle import CHAIN_START, link_hash
from seals.chain import ENTRY_COLUMNS, chain_entries, chain_head, entry_hash
from seals.models import ChainLink
from seals.tests.sealed_data import allow_tampering, findings_of, last_entry_id
from seals.verification.findings import Change
from seals.verification.trail import ChainedEntry, check_chain
from tests.factories import CustomerFactory

EntryTexts = tuple[str | None, ...]


def entries_of(reasons: list[str]) -> list[tuple[int, EntryTexts]]:
    """Return entries that differ in id and reason."""
    return [
        (number, tuple(f"{number}" if name == "id" else reason if name == "reason" else None for name in ENTRY_COLUMNS))
        for number, reason in enumerate(reasons, 1)
    ]


def joined(entries: list[tuple[int, EntryTexts]], links: dict[int, ChainedEntry]) -> list[ChainedEntry]:
    """Join entries and links by the entries' ids, as the database does."""
    by_id = dict(entries)
    return [
        ChainedEntry(
            *(links[entry_id][:5] if entry_id in links else (None, None, None, b"", b"")),
            entry_id if entry_id in by_id else None,
            None,
            by_id.get(entry_id, (None,) * len(ENTRY_COLUMNS)),
        )
        for entry_id in sorted(by_id.keys() | links.keys())
    ]


def links_of(entries: list[tuple[int, EntryTexts]]) -> dict[int, ChainedEntry]:
    """Chain these entries."""
    links, chain_hash = {}, CHAIN_START
    for position, (entry_id, texts) in enumerate(entries, 1):
        chain_hash = link_hash(chain_hash, entry_hash(texts))
        links[entry_id] = ChainedEntry(position, entry_id, None, entry_hash(texts), chain_hash, entry_id, None, texts)
    return links


REASONS = st.lists(st.sampled_from(["", "a", "b", "é"]), min_size=2, max_size=12)
few = settings(max_examples=40, deadline=None)


@given(REASONS, st.data())
@few
def test_any_edited_entry_is_found(reasons: list[str], data: st.DataObject) -> None:
    entries = entries_of(reasons)
    links = links_of(entries)
    index = data.draw(st.integers(0, len(entries) - 1))
    column = data.draw(st.integers(0, len(ENTRY_COLUMNS) - 1))
    texts = list(entries[index][1])
    texts[column] = f"{texts[column] or ''}x"
    entries[index] = (entries[index][0], tuple(texts))

    (finding,) = check_chain(joined(entries, links))
    assert (finding.change, finding.where) == (Change.EDITED, f"entry {index + 1} of the audit trail")


@given(REASONS, st.data())
@few
def test_any_deleted_entry_is_found_with_or_without_its_link(reasons: list[str], data: st.DataObject) -> None:
    entries = entries_of(reasons)
    links = links_of(entries)
    index = data.draw(st.integers(0, len(entries) - 2))
    removed_id = entries.pop(index)[0]

    (finding,) = check_chain(joined(entries, links))
    assert (finding.change, finding.where) == (Change.DELETED, f"entry {removed_id} of the audit trail")
    del links[removed_id]
    assert [finding.change for finding in check_chain(joined(entries, links))] == [Change.DELETED, Change.EDITED]


@given(REASONS, st.data())
@few
def test_any_inserted_entry_is_found(reasons: list[str], data: st.DataObject) -> None:
    entries = [(10 * entry_id, texts) for entry_id, texts in entries_of(reasons)]
    links = links_of(entries)
    index = data.draw(st.integers(0, len(entries) - 1))
    entries.insert(index, (entries[index][0] - 5, entries[index][1]))

    (finding,) = check_chain(joined(entries, links))
    assert (finding.change, finding.where) == (Change.INSERTED, f"entry {entries[index][0]} of the audit trail")


@given(REASONS, st.data())
@few
def test_any_two_reordered_entries_are_found(reasons: list[str], data: st.DataObject) -> None:
    entries = entries_of(reasons)
    links = links_of(entries)
    first = data.draw(st.integers(0, len(entries) - 2))
    second = data.draw(st.integers(first + 1, len(entries) - 1))
    a, b = entries[first], entries[second]
    entries[first], entries[second] = (a[0], b[1]), (b[0], a[1])

    assert [finding.change for finding in check_chain(joined(entries, links))] == [Change.EDITED, Change.EDITED]


def test_reordered_links_are_found() -> None:
    entries = entries_of(["a", "b", "c"])
    links = links_of(entries)
    links[2], links[3] = links[3]._replace(linked_id=2), links[2]._replace(linked_id=3)

    changes = {finding.change for finding in check_chain(joined(entries, links))}
    assert Change.REORDERED in changes


def test_new_entries_wait_for_their_links() -> None:
    entries = entries_of(["a", "b"])

    assert list(check_chain(joined([*entries, (3, entries[0][1])], links_of(entries)))) == []


@pytest.mark.django_db
def test_entries_are_chained_up_to_the_settled_one_and_verified() -> None:
    CustomerFactory()
    first = last_entry_id()
    CustomerFactory()
    assert last_entry_id() > first

    assert chain_entries(first) == ChainLink.objects.count() > 0
    assert chain_head().entry_id == first
    chain_entries(last_entry_id())

    assert [link.position for link in ChainLink.objects.all()] == list(range(1, chain_head().position + 1))
    assert findings_of(None) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("""UPDATE audit_entry SET after = jsonb_set(after, '{name}', '"Another"') WHERE id = %s""", Change.EDITED),
        ("UPDATE audit_entry SET happened_at = happened_at - interval '1 microsecond' WHERE id = %s", Change.EDITED),
        ("UPDATE audit_entry SET customer_id = NULL WHERE id = %s", Change.EDITED),
        ("DELETE FROM audit_entry WHERE id = %s", Change.DELETED),
        ("UPDATE audit_entry SET id = id + 1000000 WHERE id = %s", Change.DELETED),
        ("UPDATE audit_chain_link SET chain_hash = entry_hash WHERE entry_id = %s", Change.EDITED),
    ],
)
def test_tampering_by_sql_is_found(sql: str, change: Change) -> None:
    customer = CustomerFactory()
    entry_id = AuditEntry.objects.get(model="customers.customer", object_id=str(customer.pk), action="created").pk
    chain_entries(last_entry_id())
    allow_tampering()

    with connection.cursor() as cursor:
        cursor.execute(sql, [entry_id])

    findings = findings_of(None)
    assert findings[0].change == change
    assert f"entry {entry_id} " in f"{findings[0].where} " or "link" in findings[0].where


def test_every_column_of_an_entry_is_hashed() -> None:
    assert sorted(ENTRY_COLUMNS) == sorted(column.attname for column in AuditEntry._meta.fields)
