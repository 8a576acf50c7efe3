"""The answer to a request for a list of readings: a page of JSON, or a stream."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.errors import InvalidQuery
from core.api.pagination import Cursor, PlainPage, envelope, url_with
from core.api.query_params import Parameters
from core.api.renderers import CSVRenderer, NDJSONRenderer
from readings.lists.export import streamed
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing, Row
from readings.lists.representation import in_form
from readings.units.unit_refs import Places

STREAMED_FORMATS = (CSVRenderer.format, NDJSONRenderer.format)


def readings_answer(request: Request, places: Places) -> HttpResponseBase:
    """The readings of these units that the request's query asks for. Raises InvalidQuery.

    A stream holds all of them, unless the query names a `limit` or an `offset`.
    """
    parameters = Parameters.of(request)
    listing = Listing(places, ReadingFilter.of(parameters))
    page = PlainPage.of(request)
    cursor = _cursor(parameters)
    format_name = request.accepted_renderer.format
    if format_name in STREAMED_FORMATS:
        is_part = bool({"limit", "offset", "cursor"} & request._request.GET.keys())
        rows = listing.rows(page.limit, offset=page.offset, cursor=cursor) if is_part else None
        return streamed(listing, format_name, rows)
    return Response(readings_page(request, listing, page, cursor))


def readings_page(request: Request, listing: Listing, page: PlainPage, cursor: Cursor | None) -> dict[str, Any]:
    """One page in the envelope. `next` and `previous` are cursors, wherever the page itself came from."""
    total = listing.count()
    # One row more tells whether there is a page beyond.
    rows = listing.rows(page.limit + 1, offset=page.offset, cursor=cursor, total=total)
    is_more = len(rows) > page.limit
    if cursor is None:
        rows = rows[: page.limit]
        offset, has_next, has_previous = page.offset, is_more, page.offset > 0
    elif cursor.is_backwards:
        rows = rows[-page.limit :]
        offset, has_next, has_previous = max(cursor.position - len(rows), 0), True, is_more
    else:
        rows = rows[: page.limit]
        offset, has_next, has_previous = cursor.position, is_more, True
    return envelope(
        in_form(rows, listing.places),
        total=total,
        limit=page.limit,
        offset=offset,
        next_url=_url(request, page, rows[-1:], offset + len(rows)) if has_next else None,
        previous_url=_url(request, page, rows[:1], offset, is_backwards=True) if has_previous else None,
    )


def _cursor(parameters: Parameters) -> Cursor | None:
    text = parameters.text("cursor")
    if text and parameters.text("offset") not in ("", "0"):
        raise InvalidQuery("offset", "can't go with a cursor.")
    return Cursor.of_text(text) if text else None


def _url(
    request: Request, page: PlainPage, edge: list[Row], position: int, *, is_backwards: bool = False
) -> str | None:
    """The page beyond the row at the edge; by its number where the page is empty."""
    if edge:
        cursor = edge[0].cursor(position, is_backwards=is_backwards)
        return url_with(request, limit=page.limit, offset=None, cursor=cursor.to_text())
    if is_backwards:
        return url_with(request, limit=page.limit, offset=max(position - page.limit, 0) or None, cursor=None)
    return None
