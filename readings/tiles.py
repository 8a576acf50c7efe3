"""Storage units as tiles, a thousand on a page: put together here, for a template would take ten times as long.

All but the age and the little line is made once for each state of a unit and remembered, see `readings.overview`; so
is the whole list, packed, for as long as all that it shows is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from customers.packed_parts import Part, PartsResponse
from readings.overview import OverviewRow
from readings.sparklines import HEIGHT, WIDTH
from readings.unit_marks import Marks
from readings.wording import age_text

_REMEMBERED = 10_000
# Of those who look at the same units at the same time one has the tiles made. A list of a thousand is half a megabyte.
_LISTS_REMEMBERED = 16
_TILE = (
    '<li><a class="tile edge-{slug}" id="u{unit_id}" href="{url}">'
    '<span class="tile-name">{name}</span><span class="tile-place">{place}</span>'
    '<span class="tile-now number">{temperature}</span>'
    '<span class="state state-{slug}"><span aria-hidden="true">{mark}</span> {state}</span>'
    '<span class="tile-set">set <span class="number">{set_temperature}</span></span><span class="tile-age number">'
)
_LINE = (
    f'</span><svg class="tile-line" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
).encode()
_END = b"</svg></a></li>"
_MARK = '<span class="tile-mark">◆ {}</span>'
PLACE = "<!-- tiles -->"


def tiles(
    rows: Iterable[OverviewRow], paths: Mapping[int, str], now: datetime, *, with_customer: bool, marks: Marks
) -> Part:
    """The tiles of these rows, one after the other. `paths`: see `readings.sparklines`, digits and letters only.

    Every text of a customer went through format_html.
    """
    shown: list[tuple[OverviewRow, str, str, str]] = []
    for row in rows:
        recorded_at = row.condition.recorded_at
        age = age_text(None if recorded_at is None else now - recorded_at)
        shown.append((row, age, marks.get(row.unit_id, ""), paths[row.unit_id]))
    return _together(tuple(shown), with_customer)


def response_with(page: str, made: Part) -> HttpResponse:
    """The rendered page with the tiles where it has PLACE: a template would copy so long a text half a dozen times.

    Nothing that comes from outside can be taken for PLACE, since templates escape its first character.
    """
    before, _, after = page.partition(PLACE)
    return PartsResponse([Part.of(before.encode()), made, Part.of(after.encode())])


@lru_cache(maxsize=_LISTS_REMEMBERED)
def _together(shown: tuple[tuple[OverviewRow, str, str, str], ...], with_customer: bool) -> Part:
    """The tiles of these rows with their ages, marks and paths, which are all that a tile shows."""
    parts: list[bytes] = []
    for row, age, mark, path in shown:
        marked = format_html(_MARK, mark).encode() if mark else b""
        line = f'<path d="{path}"/>'.encode() if path else b""
        parts += (_beginning(row, with_customer), age.encode(), marked, _LINE, line, _END)
    return Part.of(b"".join(parts))


@lru_cache(maxsize=_REMEMBERED)
def _beginning(row: OverviewRow, with_customer: bool) -> bytes:
    condition = row.condition
    return format_html(
        _TILE,
        unit_id=row.unit_id,
        url=reverse("unit", args=[row.public_id]),
        name=row.name,
        place=f"{row.facility} · {row.customer_code}" if with_customer else row.facility,
        temperature=condition.temperature_text,
        set_temperature=condition.set_temperature_text,
        slug=condition.state.slug,
        mark=condition.state.mark,
        state=condition.state.value,
    ).encode()
