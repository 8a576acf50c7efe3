"""A unit's readings in a range as a table, paginated by keyset."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404

from core.api.errors import InvalidQuery
from core.api.pagination import Cursor
from core.scope import Scope
from customers.models import StorageUnit
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing, Row
from readings.time_ranges import MICROSECOND, TimeRange
from readings.units.formatting import exact_temperature_text
from readings.units.unit_refs import visible_unit_ref

ROWS_A_PAGE = 25


@dataclass(frozen=True, slots=True)
class TablePage:
    """Rows with temperature texts, newest first, and the cursors of the adjacent pages, "" for none."""

    rows: list[tuple[Row, str]]
    newer: str
    older: str


def listing_of(unit: StorageUnit, time_range: TimeRange) -> Listing:
    """Return the listing of the unit's readings in a half-open range. The caller has checked access to the unit."""
    return Listing(
        visible_unit_ref(Scope.of_customer(unit.facility.customer_id), unit.public_id),
        ReadingFilter(time_range.start, time_range.end - MICROSECOND),
    )


def table_page(unit: StorageUnit, time_range: TimeRange, cursor_text: str) -> TablePage:
    """Return the page at a cursor, the first for "". Raises Http404 for an invalid cursor."""
    try:
        cursor = Cursor.from_text(cursor_text) if cursor_text else None
    except InvalidQuery as error:
        raise Http404 from error
    # One extra row shows whether there is another page.
    rows = listing_of(unit, time_range).rows(ROWS_A_PAGE + 1, cursor=cursor)
    is_more, is_backwards = len(rows) > ROWS_A_PAGE, cursor is not None and cursor.is_backwards
    rows = rows[-ROWS_A_PAGE:] if is_backwards else rows[:ROWS_A_PAGE]
    has_newer = is_more if is_backwards else cursor is not None
    has_older = True if is_backwards else is_more
    return TablePage(
        rows=[(row, _text(row)) for row in rows],
        newer=rows[0].cursor(0, is_backwards=True).to_text() if rows and has_newer else "",
        older=rows[-1].cursor(0, is_backwards=False).to_text() if rows and has_older else "",
    )


def _text(row: Row) -> str:
    """Format a temperature with every digit sent, on the scale it was sent on, or name the sensor fault."""
    if row.temperature_c is None:
        return "Sensor fault"
    return exact_temperature_text(row.temperature_c, row.scale)
