"""Storage units as tiles, a thousand on a page: put together here, for a template would take ten times as long.

All but the age and the little line is made once for each state of a unit and remembered, see `readings.overview`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from readings.overview import OverviewRow
from readings.sparklines import HEIGHT, WIDTH
from readings.wording import age_text

_REMEMBERED = 10_000
_TILE = (
    '<li><a class="tile edge-{slug}" id="u{unit_id}" href="{url}">'
    '<span class="tile-name">{name}</span><span class="tile-place">{place}</span>'
    '<span class="tile-now number">{temperature}</span>'
    '<span class="state state-{slug}"><span aria-hidden="true">{mark}</span> {state}</span>'
    '<span class="tile-set">set <span class="number">{set_temperature}</span></span><span class="tile-age number">'
)
_LINE = f'</span><svg class="tile-line" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
_END = "</svg></a></li>"


def tiles(rows: Iterable[OverviewRow], paths: Mapping[int, str], now: datetime, *, with_customer: bool) -> SafeString:
    """The tiles of these rows, one after the other. `paths`: see `readings.sparklines`, digits and letters only."""
    parts: list[str] = []
    for row in rows:
        recorded_at, path = row.condition.recorded_at, paths[row.unit_id]
        age = age_text(None if recorded_at is None else now - recorded_at)
        parts += (_beginning(row, with_customer), age, _LINE, f'<path d="{path}"/>' if path else "", _END)
    return mark_safe("".join(parts))  # noqa: S308  what comes from customers went through format_html


@lru_cache(maxsize=_REMEMBERED)
def _beginning(row: OverviewRow, with_customer: bool) -> str:
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
    )
