"""Limits on what a body may contain. They are checked while it is read, before objects are created from its bytes.

With them the memory that a body takes is that of a few blocks and batches, however large and whatever it is; tests and
`python -m benchmarks --scale bodies` show it for bodies made to exceed them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnreadableBody

# Of a CSV line or header. Longer lines are not tabular data.
MAX_LINE_BYTES = 1 << 18
MAX_COLUMNS = 500
# Of the first lines of a CSV body together, among which its header is looked for.
MAX_HEAD_BYTES = 4 << 20
# Of headers within a CSV body: what follows one is split again.
MAX_HEADERS = 500
MAX_REPEATED_HEADERS = 10_000
# Of the blocks in which CSV is read: a block of short lines would become as many objects.
MAX_BLOCK_LINES = 50_000
# Of the bytes of a block if the rows of a body are limited, because nobody knows what its sender makes of it.
LIMITED_BLOCK_BYTES = 1 << 20
# Of rows of a repeated hour, which wait for later rows to resolve them. No data logger's file has more.
MAX_PENDING_ROWS = 30_000
MAX_PENDING_CHARACTERS = 16 << 20
# Of different storage units in one batch.
MAX_BATCH_UNITS = 20_000
# Of different sensors, and of different units, in one delivery of a source, and of its rejected rows.
MAX_SENSORS = 5_000
# Of different names in one delivery by which rows call their customer; each is looked up.
MAX_CUSTOMERS = 1_000
MAX_REJECTED_ROWS = 100_000
# Of an object in JSON.
MAX_MEMBERS = 10_000
# Of the different sets of names in the rows of a JSON body, and of the names in them: for each set it is found out what
# its names mean. Twelve names, each of which may be missing, make 4,096 sets.
MAX_LAYOUTS = 5_000
MAX_LAYOUT_NAMES = 200_000
# Of objects and lists in one another, in JSON.
MAX_DEPTH = 32
# Of a file in memory; a longer one is kept on the disk.
SPOOLED_BYTES = 8 << 20
# Of the rows that are made from JSON of other shapes, in which what surrounds a list is part of each of its rows.
MAX_SHAPED_CHARACTERS = 32 << 20
# Of rows of a delivery that contradict stored readings. No clock or export goes wrong that often unnoticed.
MAX_CONFLICTS = 20_000


@dataclass(frozen=True, slots=True)
class ValueLimits:
    """The limits of one JSON value with everything in it: its length in characters, and the number of values."""

    characters: int
    values: int


ROW_LIMITS = ValueLimits(1 << 18, 5_000)
# Of what surrounds the list of rows: together its members may not be longer.
MEMBER_LIMITS = ValueLimits(4 << 20, 200_000)
# Of facilities, and of units, in a site structure.
MAX_STRUCTURE_UNITS = 5_000
# Of a facility with its units in a site structure.
FACILITY_LIMITS = ValueLimits(2 << 20, 100_000)


def too_large(limit: int) -> UnreadableBody:
    """Return the error for a body longer than `limit` bytes."""
    return exceeded(f"it is longer than {limit:,} bytes")


def exceeded(why: str) -> UnreadableBody:
    """Return the error for a body that exceeds a limit; `why` says which."""
    return UnreadableBody(Reason.TOO_LARGE, why=why)


def check_row_count(count: int, limit: int | None) -> None:
    """Raise UnreadableBody (too_large) if a body has more than `limit` rows; None does not limit them."""
    if limit is not None and count > limit:
        raise exceeded(f"it has more than {limit:,} rows")


def check_layouts(count: int, name_count: int) -> None:
    """Raise UnreadableBody (too_large) if the rows of a JSON body have too many different sets of names."""
    if count > MAX_LAYOUTS:
        raise exceeded(f"its rows have more than {MAX_LAYOUTS:,} different sets of names")
    if name_count > MAX_LAYOUT_NAMES:
        raise exceeded(f"the different sets of names of its rows have more than {MAX_LAYOUT_NAMES:,} names")


def check_line_count(count: int, max_rows: int | None) -> None:
    """Raise UnreadableBody (too_large) if a body of `max_rows` rows at most has far more lines, blank ones included."""
    if max_rows is not None and count > 2 * max_rows:
        raise exceeded(f"it has more than {2 * max_rows:,} lines")
