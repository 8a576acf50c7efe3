"""REST API views of readings. All lists share one response; the views determine the storage units."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from typing_extensions import override

from core.api.errors import InvalidQuery
from core.api.lists import page_of
from core.api.pagination import Cursor, Page, PageParams, PageRequest, represent_page, url_with
from core.api.query_params import CustomerFilterParams, takes
from core.api.renderers import CSVRenderer, JSONRenderer, NDJSONRenderer
from core.db.replica import from_replica
from customers.access import actions
from customers.access.permissions import Needs
from customers.access.principal import Principal, principal_of
from customers.models import Facility
from readings.api.query_params import CursorParams, FormatParams, LatestParams, ReadingFilterParams
from readings.lists.export import stream
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing, Row, latest_rows
from readings.lists.representation import ReadingSerializer, to_representation
from readings.units.unit_refs import UnitRefs, visible_unit_ref, visible_unit_refs

STREAMED_FORMATS = (CSVRenderer.format, NDJSONRenderer.format)
LIST_PARAMS = [ReadingFilterParams, FormatParams, PageParams, CursorParams]


def _in_all_formats(schema: serializers.BaseSerializer[object]) -> dict[tuple[int, str], object]:
    return {
        (200, JSONRenderer.media_type): schema,
        (200, CSVRenderer.media_type): OpenApiTypes.STR,
        (200, NDJSONRenderer.media_type): OpenApiTypes.STR,
    }


PAGE_OF_READINGS = _in_all_formats(page_of(ReadingSerializer))


def list_response(request: Request, units: UnitRefs) -> HttpResponseBase:
    """Return the readings of these units that the query requests. Raises InvalidQuery.

    A stream contains all of them, from the offset or the cursor on, unless it has a limit.
    """
    listing = Listing(units, ReadingFilter(**ReadingFilterParams.parse(request)))
    page = PageRequest.parse(request)
    cursor = _cursor(request, page)
    format_name = request.accepted_renderer.format
    if format_name in STREAMED_FORMATS:
        # Before a cursor lies the previous page, which has a limit. HEAD exports nothing.
        is_before = cursor is not None and cursor.is_backwards
        is_page = "limit" in request._request.GET or is_before or request.method == "HEAD"
        rows = listing.rows(page.limit, offset=page.offset, cursor=cursor) if is_page else None
        return stream(listing, format_name, rows, offset=page.offset, cursor=cursor)
    return Response(represent_page(_page(request, listing, page, cursor)))


def _page(request: Request, listing: Listing, page: PageRequest, cursor: Cursor | None) -> Page:
    """Return a page whose `next` and `previous` are cursors, even if the page itself was requested by offset."""
    counted = listing.count()
    # One extra row shows whether there is another page.
    rows = listing.rows(page.limit + 1, offset=page.offset, cursor=cursor, counted=counted)
    has_more = len(rows) > page.limit
    if cursor is None:
        rows = rows[: page.limit]
        offset, has_next, has_previous = page.offset, has_more, page.offset > 0
    elif cursor.is_backwards:
        rows = rows[-page.limit :]
        offset, has_next, has_previous = max(cursor.position - len(rows), 0), True, has_more
    else:
        rows = rows[: page.limit]
        offset, has_next, has_previous = cursor.position, has_more, True
    return Page(
        items=to_representation(rows, listing.unit_refs),
        total=counted.total,
        limit=page.limit,
        offset=offset,
        next_url=_url(request, page, rows[-1:], offset + len(rows)) if has_next else None,
        previous_url=_url(request, page, rows[:1], offset, is_backwards=True) if has_previous else None,
    )


def _cursor(request: Request, page: PageRequest) -> Cursor | None:
    text = CursorParams.parse(request).get("cursor")
    if text and page.offset:
        raise InvalidQuery("offset", "cannot be combined with a cursor.")
    return Cursor.from_text(text) if text else None


def _url(
    request: Request, page: PageRequest, edge: list[Row], position: int, *, is_backwards: bool = False
) -> str | None:
    """Return the URL of the page beyond the row at the edge, or before an empty page by its offset."""
    if edge:
        cursor = edge[0].cursor(position, is_backwards=is_backwards)
        return url_with(request, limit=page.limit, offset=None, cursor=cursor.to_text())
    if is_backwards:
        return url_with(request, limit=page.limit, offset=max(position - page.limit, 0) or None, cursor=None)
    return None


class ReadingList(APIView):
    """Readings of the caller's storage units."""

    needs: ClassVar[Needs] = {"GET": actions.VIEW_READINGS}
    renderer_classes = [JSONRenderer, CSVRenderer, NDJSONRenderer, BrowsableAPIRenderer]

    @takes(LIST_PARAMS, responses=PAGE_OF_READINGS)
    @from_replica
    def get(self, request: Request, **path: UUID) -> HttpResponseBase:
        """List readings, newest first."""
        return list_response(request, self.get_units(principal_of(request), **path))

    def get_units(self, principal: Principal, **path: UUID) -> UnitRefs:
        """Return the units whose readings are listed. Raises NotFound."""
        return visible_unit_refs(principal.own_scope)


class FacilityReadingList(ReadingList):
    """Readings of a facility's units."""

    @override
    def get_units(self, principal: Principal, **path: UUID) -> UnitRefs:
        facilities = Facility.objects.visible_to(principal.scope).filter(public_id=path["facility_id"])
        facility_id = facilities.values_list("pk", flat=True).first()
        if facility_id is None:
            raise NotFound
        return visible_unit_refs(principal.scope, facility_id=facility_id)


class UnitReadingList(ReadingList):
    """Readings of a storage unit."""

    @override
    def get_units(self, principal: Principal, **path: UUID) -> UnitRefs:
        units = visible_unit_ref(principal.scope, path["unit_id"])
        if not units:
            raise NotFound
        return units


class AdminReadingList(ReadingList):
    """Readings of every customer."""

    needs: ClassVar[Needs] = {"GET": actions.LIST_ALL_READINGS}

    @takes([CustomerFilterParams, *LIST_PARAMS], responses=PAGE_OF_READINGS)
    @from_replica
    def get(self, request: Request, **path: UUID) -> HttpResponseBase:
        """List the readings of every customer, or of one, newest first."""
        return super().get(request, **path)

    @override
    def get_units(self, principal: Principal, **path: UUID) -> UnitRefs:
        customer_id = CustomerFilterParams.parse(self.request).get("customer_id")
        if customer_id is None:
            return visible_unit_refs(principal.scope)
        return visible_unit_refs(principal.scope, facility__customer__public_id=customer_id)


class AdminFacilityReadingList(FacilityReadingList):
    """Readings of the units of any customer's facility."""

    needs: ClassVar[Needs] = {"GET": actions.LIST_ALL_READINGS}


class LatestReadingList(ReadingList):
    """The latest reading of each storage unit."""

    @takes(
        [ReadingFilterParams, FormatParams, LatestParams],
        responses=_in_all_formats(ReadingSerializer(many=True)),
    )
    @from_replica
    def get(self, request: Request, **path: UUID) -> HttpResponseBase:
        """Return the latest reading of each of the caller's units, newest first, as a plain array."""
        limit: int = LatestParams.parse(request)["limit"]
        reading_filter = ReadingFilter(**ReadingFilterParams.parse(request))
        units = self.get_units(principal_of(request), **path)
        rows = latest_rows(units, reading_filter, limit)
        format_name = request.accepted_renderer.format
        if format_name in STREAMED_FORMATS:
            return stream(Listing(units, reading_filter), format_name, rows)
        return Response(to_representation(rows, units))
