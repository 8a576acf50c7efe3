"""The REST API's views of storage units, and of a facility with them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.query_params import Parameters
from core.api.schema import PAGE, TEMPERATURE_UNIT, page_of
from customers.access.lookup import addressed, reach_of, require_whole_customer
from customers.access.permissions import READ, READ_AND_WRITE
from customers.api.views import FACILITY
from customers.models import Facility, StorageUnit
from readings.api.serializers import DetailedFacilitySerializer, StorageUnitSerializer
from readings.api.unit_form import current_range, in_form, unit_columns
from readings.lists.filters import scale_asked


class FacilityUnitList(GenericAPIView[StorageUnit]):
    """The storage units of a facility."""

    needs = {method: READ_AND_WRITE[method] for method in ("GET", "POST")}
    serializer_class = StorageUnitSerializer

    @extend_schema(parameters=PAGE, responses=page_of(StorageUnitSerializer))
    def get(self, request: Request, facility_id: UUID) -> Response:
        units = _units_of(addressed(Facility, request, facility_id), request)
        return self.get_paginated_response(in_form(self.paginate_queryset(unit_columns(units)) or []))

    @extend_schema(responses={201: StorageUnitSerializer})
    def post(self, request: Request, facility_id: UUID) -> Response:
        """Register a storage unit."""
        require_whole_customer(request)
        facility = addressed(Facility, request, facility_id)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        unit = serializer.save(facility=facility)
        return Response(_one(unit), status.HTTP_201_CREATED)


class UnitDetail(GenericAPIView[StorageUnit]):
    """One storage unit. PUT takes any subset of its fields, like PATCH."""

    needs = {method: READ_AND_WRITE[method] for method in ("GET", "PUT", "PATCH")}
    serializer_class = StorageUnitSerializer

    def get(self, request: Request, unit_id: UUID) -> Response:
        return Response(_one(addressed(StorageUnit, request, unit_id)))

    @extend_schema(request=StorageUnitSerializer(partial=True))
    def put(self, request: Request, unit_id: UUID) -> Response:
        unit = addressed(StorageUnit, request, unit_id)
        serializer = self.get_serializer(unit, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(_one(unit))

    patch = put


class DetailedFacility(GenericAPIView[Facility]):
    """A facility with its units, and the mean, lowest and highest of what they measure now."""

    needs = READ
    serializer_class = DetailedFacilitySerializer

    @extend_schema(parameters=[TEMPERATURE_UNIT])
    def get(self, request: Request, facility_id: UUID) -> Response:
        scale = scale_asked(Parameters.of(request))
        facility = addressed(Facility, request, facility_id)
        units = in_form(unit_columns(_units_of(facility, request)))
        shown: dict[str, Any] = FACILITY.one(Facility.objects.filter(pk=facility.pk))
        return Response(shown | {"units": units, "unit_count": len(units)} | current_range(units, scale))


def _units_of(facility: Facility, request: Request) -> QuerySet[StorageUnit]:
    units: QuerySet[StorageUnit] = StorageUnit.objects.within(reach_of(request))
    return units.filter(facility=facility, is_synthetic=False)


def _one(unit: StorageUnit) -> dict[str, Any]:
    (shown,) = in_form(unit_columns(StorageUnit.objects.filter(pk=unit.pk)))
    return shown
