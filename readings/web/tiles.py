"""Storage units as tiles, a thousand on a page: put together here, for a template would take ten times as long.

All but the age and the little line is made once for each state of a unit and remembered, see `readings.web.overview`;
so is the whole list, packed, for as long as all that it shows is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from core.web.precompressed import Part, PartsResponse
from readings.series.sparklines import HEIGHT, WIDTH
from readings.storage.reading_batch import microseconds_of
from readings.units.badges import Badges
from readings.units.formatting import NEVER, age_text_of_seconds
from readings.web.overview import OverviewRow

_CACHE_SIZE = 10_000
# Of those who look at the same units at the same time one has the tiles made. A list of a thousand is half a megabyte.
_LISTS_REMEMBERED = 16
_TILE = (
    '<li><a class="tile edge-{slug}" id="u{unit_id}" href="{url}">'
    '<span class="tile-name">{name}</span><span class="tile-place">{place}</span>'
    '<span class="tile-now number">{temperature}</span>'
    "{badge}"
    '<span class="tile-set">set <span class="number">{set_temperature}</span></span><span class="tile-age number">'
)
_LINE = (
    f'</span><svg class="tile-line" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
).encode()
_END = b"</svg></a></li>"
_MARK = '<span class="tile-mark">◆ {}</span>'
PLACE = "<!-- tiles -->"


def tiles(
    rows: Iterable[OverviewRow], paths: Mapping[int, str], now: datetime, *, with_customer: bool, marks: Badges
) -> Part:
    """The tiles of these rows, one after the other. `paths`: see `readings.series.sparklines`, digits and letters only.

    Every text of a customer went through format_html.
    """
    shown: list[tuple[OverviewRow, str, str, str]] = []
    now_us = microseconds_of(now)
    for row in rows:
        us, unit_id = row.recorded_us, row.unit_id
        age = NEVER if us is None else age_text_of_seconds((now_us - us) // 1_000_000)
        shown.append((row, age, marks.get(unit_id, ""), paths[unit_id]))
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


@lru_cache(maxsize=_CACHE_SIZE)
def _beginning(row: OverviewRow, with_customer: bool) -> bytes:
    condition = row.condition
    return format_html(
        _TILE,
        unit_id=row.unit_id,
        url=reverse("unit", args=[row.public_id]),
        name=row.name,
        place=f"{row.facility} · {row.facility.customer_code}" if with_customer else row.facility,
        temperature=condition.temperature_text,
        set_temperature=condition.set_temperature_text,
        slug=condition.state.slug,
        badge=condition.state.badge,
    ).encode()
