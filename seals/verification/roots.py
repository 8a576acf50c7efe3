"""Roots that are kept outside the database: written to a file, and compared with the seals later.

Whoever can change everything in the database can also compute new chains. They cannot change the roots that a customer,
an auditor or a time-stamping service has.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TextIO

from core.scope import ScopedQuerySet
from seals.models import DaySeal
from seals.verification.findings import Change, Finding

COLUMNS = ("customer", "day", "sequence", "root")
ROWS_A_PIECE = 1_000
# Roots as hexadecimal text by customer code ("" for the system) and sequence.
KnownRoots = dict[tuple[str, int], str]


def root_lines(seals: ScopedQuerySet) -> Iterator[str]:
    """Yield the roots of these seals as CSV, a header and a line for each, in pieces.

    Pieces are read by id, so that no transaction is open while a slow client reads them.
    """
    buffer = io.StringIO()
    rows = csv.writer(buffer)
    rows.writerow(COLUMNS)
    after = 0
    while True:
        piece = list(seals.filter(id__gt=after).select_related("customer").order_by("id")[:ROWS_A_PIECE])
        for seal in piece:
            rows.writerow([customer_text(seal), seal.day.isoformat(), seal.sequence, bytes(seal.root).hex()])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        if len(piece) < ROWS_A_PIECE:
            return
        after = piece[-1].pk


def read_roots(file: TextIO) -> KnownRoots:
    """Return the roots of a file of `root_lines`. Raise ValueError for any other file."""
    rows = csv.DictReader(file)
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise ValueError(f"This is not a file of roots: its first line must be {','.join(COLUMNS)}.")
    try:
        return {(row["customer"], int(row["sequence"])): row["root"] for row in rows}
    except (TypeError, csv.Error) as error:
        raise ValueError(f"Line {rows.line_num} is not complete.") from error


def check_known_roots(known: KnownRoots) -> Iterator[Finding]:
    """Yield the known roots that are no longer those of the stored seals.

    A seal is found by its root, which is a hash of the customer's id, too: the customer may have another code by now,
    or be deleted.
    """
    stored = {
        (customer_text(seal), seal.sequence): bytes(seal.root).hex()
        for seal in DaySeal.objects.select_related("customer").filter(sequence__in={number for _, number in known})
    }
    roots = set(stored.values())
    for (code, sequence), root in known.items():
        if root in roots:
            continue
        where = f"seal {sequence} of {code or 'the system'}"
        if (code, sequence) not in stored:
            yield Finding(Change.DELETED, where, "Its root is in the file of known roots.")
        else:
            yield Finding(Change.EDITED, where, "Its root is another one in the file of known roots.")


def customer_text(seal: DaySeal) -> str:
    """Return the customer's code, "" for the system. A customer that was deleted is named by its id."""
    if seal.customer_id is None:
        return ""
    return seal.customer.customer_code if seal.customer else f"({seal.customer_id})"
