"""The REST API's views of storage units, and of a facility with them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
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
from customers.models import STALENESS_INTERVALS, Facility, StorageUnit
from readings.api.serializers import DetailedFacilitySerializer, StorageUnitSerializer
from readings.lists.filters import requested_scale
from readings.units.condition import LIMIT_COLUMNS, LimitsInForce, UnitState
from readings.units.scales import Scale, from_celsius, to_celsius
from readings.units.unit_condition import Condition

_STATUSES = {
    UnitState.CRITICAL: "critical",
    UnitState.WARNING: "warning",
    UnitState.IN_LIMITS: "normal",
    UnitState.NO_LIMITS: "normal",  # nothing says it should be otherwise
    UnitState.NO_DATA: "no_data",
    UnitState.SENSOR_FAULT: "no_data",
}
_OWN = (
    "public_id",
    "facility__public_id",
    "unit_code",
    "name",
    "size_value",
    "size_unit",
    "set_temperature",
    "temperature_unit",
    "equipment_type",
    "created_at",
)
_NAMES = ("id", "facility_id", *_OWN[2:])
_MEASURED = (
    "interval_seconds",
    "gap_limit_seconds",
    "latest_reading__recorded_at",
    "latest_reading__temperature_c",
    "latest_reading__scale",
    *LIMIT_COLUMNS,
)


def unit_columns(units: QuerySet[StorageUnit]) -> QuerySet[Any]:
    """The columns that `in_form` wants."""
    return units.values_list(*_OWN, *_MEASURED)


def in_form(rows: Iterable[tuple[Any, ...]], now: datetime | None = None) -> list[dict[str, Any]]:
    """Units of `unit_columns` with the fields of StorageUnitSerializer."""
    now = now or timezone.now()
    return [_in_form(row, now) for row in rows]


def current_range(units: list[dict[str, Any]], scale: Scale) -> dict[str, Any]:
    """The mean, lowest and highest temperature of those units that are measured now, on `scale`; None without any."""
    current_c = [
        to_celsius(unit["current_temperature"], unit["current_temperature_unit"])
        for unit in units
        if unit["temperature_status"] != "no_data"
    ]
    found = {
        "average_temperature": sum(current_c) / len(current_c) if current_c else None,
        "min_temperature": min(current_c, default=None),
        "max_temperature": max(current_c, default=None),
    }
    on_scale = {name: None if value_c is None else from_celsius(value_c, scale) for name, value_c in found.items()}
    return {**on_scale, "temperature_unit": scale}


def _in_form(row: tuple[Any, ...], now: datetime) -> dict[str, Any]:
    own = dict(zip(_NAMES, row, strict=False))
    interval_seconds, gap_limit_seconds, recorded_at, temperature_c, scale, *limits = row[len(_OWN) :]
    condition = Condition.at(
        now,
        scale=own["temperature_unit"],
        set_temperature=own["set_temperature"],
        gap_limit_seconds=gap_limit_seconds or STALENESS_INTERVALS * interval_seconds,
        recorded_at=recorded_at,
        temperature_c=temperature_c,
        limits=LimitsInForce(*limits),
    )
    return own | {
        "current_temperature": None if temperature_c is None else from_celsius(temperature_c, scale),
        "current_temperature_unit": scale,
        "temperature_status": _STATUSES[condition.state],
        "last_reading_time": recorded_at,
    }


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
        scale = requested_scale(Parameters.of(request))
        facility = addressed(Facility, request, facility_id)
        units = in_form(unit_columns(_units_of(facility, request)))
        shown: dict[str, Any] = FACILITY.one(Facility.objects.filter(pk=facility.pk))
        return Response(shown | {"units": units, "unit_count": len(units)} | current_range(units, scale))


def _units_of(facility: Facility, request: Request) -> QuerySet[StorageUnit]:
    units: QuerySet[StorageUnit] = StorageUnit.objects.visible_to(reach_of(request))
    return units.filter(facility=facility, is_synthetic=False)


def _one(unit: StorageUnit) -> dict[str, Any]:
    (shown,) = in_form(unit_columns(StorageUnit.objects.filter(pk=unit.pk)))
    return shown
