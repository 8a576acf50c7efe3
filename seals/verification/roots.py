"""Roots that are kept outside the database: written to a file, and compared with the seals later.

Whoever can change everything in the database can also compute new chains. They cannot change the roots that a customer,
an auditor or a time-stamping service has.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import TextIO

from seals.models import DaySeal
from seals.verification.findings import Change, Finding

COLUMNS = ("customer", "day", "sequence", "root")
# Roots as hexadecimal text by customer code ("" for the system) and sequence.
KnownRoots = dict[tuple[str, int], str]


def write_roots(seals: Iterable[DaySeal], file: TextIO) -> int:
    """Write the roots of these seals as CSV; return their number."""
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    count = 0
    for seal in seals:
        rows.writerow([_code(seal), seal.day.isoformat(), seal.sequence, bytes(seal.root).hex()])
        count += 1
    return count


def read_roots(file: TextIO) -> KnownRoots:
    """Return the roots of a file that `write_roots` wrote. Raise ValueError for any other file."""
    rows = csv.DictReader(file)
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise ValueError(f"This is not a file of roots: its first line must be {','.join(COLUMNS)}.")
    return {(row["customer"], int(row["sequence"])): row["root"] for row in rows}


def check_known_roots(known: KnownRoots) -> Iterator[Finding]:
    """Yield the known roots that are no longer those of the stored seals."""
    stored = {
        (_code(seal), seal.sequence): bytes(seal.root).hex()
        for seal in DaySeal.objects.select_related("customer").filter(sequence__in={number for _, number in known})
    }
    for (code, sequence), root in known.items():
        where = f"seal {sequence} of {code or 'the system'}"
        if (code, sequence) not in stored:
            yield Finding(Change.DELETED, where, "Its root is in the file of known roots.")
        elif stored[code, sequence] != root:
            yield Finding(Change.EDITED, where, "Its root is another one in the file of known roots.")


def _code(seal: DaySeal) -> str:
    """Return the customer's code, "" for the system. A customer that was deleted is named by its id."""
    if seal.customer_id is None:
        return ""
    return seal.customer.customer_code if seal.customer else f"({seal.customer_id})"
