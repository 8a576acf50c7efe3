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

from core.api.pagination import MAX_LIMIT
from core.api.query_params import Parameters
from core.api.renderers import CSVRenderer, JSONRenderer, NDJSONRenderer
from core.api.schema import OF_CUSTOMER, PAGE
from customers.access.permissions import READ, Needs
from customers.access.principal import Caller, Permission, caller_of
from customers.models import Facility
from readings.api.reading_pages import STREAMED_FORMATS, readings_answer
from readings.api.schema import CURSOR, DEFAULT_LATEST, FILTERS, LATEST, LATEST_LIMIT, LISTED
from readings.lists.export import streamed
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing, latest_rows
from readings.lists.representation import in_form
from readings.units.unit_refs import Places, places_within


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
        return readings_answer(request, self.places(caller_of(request), **named))

    def places(self, caller: Caller, **named: UUID) -> Places:
        """The units whose readings are listed. Raises NotFound."""
        return places_within(caller.own_scope)


class FacilityReadingsView(ReadingsView):
    """Readings of a facility's units, newest first."""

    def places(self, caller: Caller, **named: UUID) -> Places:
        facilities = Facility.objects.within(caller.scope).filter(public_id=named["facility_id"])
        facility_id = facilities.values_list("pk", flat=True).first()
        if facility_id is None:
            raise NotFound
        return places_within(caller.scope, facility_id=facility_id)


class UnitReadingsView(ReadingsView):
    """Readings of a storage unit, newest first."""

    def places(self, caller: Caller, **named: UUID) -> Places:
        return unit_places(caller, named["unit_id"])


class AdminReadingsView(ReadingsView):
    """Readings of every customer, or of `?customer_id=`, newest first."""

    needs: ClassVar[Needs] = {"GET": Permission.ADMIN}

    @extend_schema(parameters=[OF_CUSTOMER, *FILTERS, *PAGE, CURSOR], responses=LISTED)
    def get(self, request: Request, **named: UUID) -> HttpResponseBase:
        return super().get(request, **named)

    def places(self, caller: Caller, **named: UUID) -> Places:
        customer_id = Parameters.of(self.request).public_id("customer_id")
        conditions: dict[str, Any] = {"facility__customer__public_id": customer_id} if customer_id else {}
        return places_within(caller.scope, **conditions)


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
        places = self.places(caller_of(request))
        rows = latest_rows(places, wanted, limit)
        if request.accepted_renderer.format in STREAMED_FORMATS:
            return streamed(Listing(places, wanted), request.accepted_renderer.format, rows)
        return Response(in_form(rows, places))


def unit_places(caller: Caller, unit_id: UUID) -> Places:
    """The one unit of this id. Raises NotFound where the caller may not see it."""
    places = places_within(caller.scope, public_id=unit_id, with_synthetic=True)
    if not places:
        raise NotFound
    return places
