"""The REST API of readings. What lists readings shares one answer; the views say of which units."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import InvalidQuery
from core.api.pagination import MAX_LIMIT, Cursor, PlainPage, envelope, url_with
from core.api.query_params import Parameters
from core.api.renderers import CSVRenderer, JSONRenderer, NDJSONRenderer
from core.api.schema import OF_CUSTOMER, PAGE
from customers.access.permissions import READ, Needs
from customers.access.principal import Permission, Principal, principal_of
from customers.models import Facility
from readings.api.schema import CURSOR, DEFAULT_LATEST, FILTERS, LATEST, LATEST_LIMIT, LISTED
from readings.lists.export import streamed
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing, Row, latest_rows
from readings.lists.representation import in_form
from readings.units.unit_refs import Places, visible_unit_refs

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


class ReadingsView(APIView):
    """Readings of all units of the caller, newest first."""

    needs: ClassVar[Needs] = READ
    renderer_classes = [
        JSONRenderer,
        CSVRenderer,
        NDJSONRenderer,
        BrowsableAPIRenderer,
    ]

    @extend_schema(parameters=[*FILTERS, *PAGE, CURSOR], responses=LISTED)
    def get(self, request: Request, **named: UUID) -> HttpResponseBase:
        return readings_answer(request, self.places(principal_of(request), **named))

    def places(self, principal: Principal, **named: UUID) -> Places:
        """The units whose readings are listed. Raises NotFound."""
        return visible_unit_refs(principal.own_scope)


class FacilityReadingsView(ReadingsView):
    """Readings of a facility's units, newest first."""

    def places(self, principal: Principal, **named: UUID) -> Places:
        facilities = Facility.objects.visible_to(principal.scope).filter(public_id=named["facility_id"])
        facility_id = facilities.values_list("pk", flat=True).first()
        if facility_id is None:
            raise NotFound
        return visible_unit_refs(principal.scope, facility_id=facility_id)


class UnitReadingsView(ReadingsView):
    """Readings of a storage unit, newest first."""

    def places(self, principal: Principal, **named: UUID) -> Places:
        return unit_places(principal, named["unit_id"])


class AdminReadingsView(ReadingsView):
    """Readings of every customer, or of `?customer_id=`, newest first."""

    needs: ClassVar[Needs] = {"GET": Permission.ADMIN}

    @extend_schema(parameters=[OF_CUSTOMER, *FILTERS, *PAGE, CURSOR], responses=LISTED)
    def get(self, request: Request, **named: UUID) -> HttpResponseBase:
        return super().get(request, **named)

    def places(self, principal: Principal, **named: UUID) -> Places:
        customer_id = Parameters.of(self.request).public_id("customer_id")
        conditions: dict[str, Any] = {"facility__customer__public_id": customer_id} if customer_id else {}
        return visible_unit_refs(principal.scope, **conditions)


class AdminFacilityReadingsView(FacilityReadingsView):
    """Readings of the units of any facility, newest first."""

    needs: ClassVar[Needs] = {"GET": Permission.ADMIN}


class LatestView(ReadingsView):
    """The newest reading of each of the caller's units, newest first: a bare list."""

    @extend_schema(parameters=[*FILTERS, LATEST_LIMIT], responses=LATEST)
    def get(self, request: Request, **named: UUID) -> HttpResponseBase:
        parameters = Parameters.of(request)
        limit = parameters.whole_number("limit", DEFAULT_LATEST, 1, MAX_LIMIT)
        wanted = ReadingFilter.of(parameters)
        places = self.places(principal_of(request))
        rows = latest_rows(places, wanted, limit)
        if request.accepted_renderer.format in STREAMED_FORMATS:
            return streamed(Listing(places, wanted), request.accepted_renderer.format, rows)
        return Response(in_form(rows, places))


def unit_places(principal: Principal, unit_id: UUID) -> Places:
    """The one unit of this id. Raises NotFound where the caller may not see it."""
    places = visible_unit_refs(principal.scope, public_id=unit_id, with_synthetic=True)
    if not places:
        raise NotFound
    return places
