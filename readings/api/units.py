"""REST API views of storage units, and of a facility with its units."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import override

from core.api.lists import RowListView, page_of
from core.api.pagination import PageParams, Rows
from core.api.query_params import takes
from core.api.serializer_rows import Representation, Row, SerializerRows
from core.api.versions import VersionedView, etag_of_new
from customers.access import actions
from customers.access.lookup import get_addressed, reachable_scope
from customers.access.submissions import once
from customers.api.views import FACILITY_ROWS
from customers.models import STALENESS_INTERVALS, Facility, StorageUnit
from readings.api.fields import TemperatureRows
from readings.api.query_params import TemperatureUnitParams
from readings.api.serializers import CurrentTemperaturesSerializer, DetailedFacilitySerializer, StorageUnitSerializer
from readings.units.condition import LIMIT_COLUMNS, LimitsInForce, UnitState
from readings.units.scales import from_celsius, to_celsius
from readings.units.unit_condition import Condition, with_unevaluated

UNIT_ROWS = SerializerRows(StorageUnitSerializer)
CURRENT_TEMPERATURE_ROWS = TemperatureRows(CurrentTemperaturesSerializer)
_STATUSES = {
    UnitState.CRITICAL: "critical",
    UnitState.WARNING: "warning",
    UnitState.IN_LIMITS: "normal",
    UnitState.NO_LIMITS: "normal",  # nothing contradicts it
    UnitState.NO_DATA: "no_data",
    UnitState.SENSOR_FAULT: "no_data",
}
# What the status depends on, besides columns of the serializer.
_CONDITION_COLUMNS = (
    "interval_seconds",
    "gap_limit_seconds",
    "latest_reading__sensor__retired_at",
    *LIMIT_COLUMNS,
)


def unit_values(units: QuerySet[StorageUnit]) -> QuerySet[StorageUnit, Row]:
    """Return the columns of these units that `represent_units` expects."""
    return UNIT_ROWS.values(with_unevaluated(units), *_CONDITION_COLUMNS)


def represent_units(rows: Collection[Row], now: datetime | None = None) -> list[Representation]:
    """Return rows of `unit_values` as StorageUnitSerializer defines them."""
    now = now or timezone.now()
    units = UNIT_ROWS.represent(rows)
    for unit, row in zip(units, rows, strict=True):
        interval_seconds, staleness_limit_seconds, retired_at, *limits = row[len(UNIT_ROWS.names) :]
        temperature_c = unit["current_temperature"]
        condition = Condition.at(
            now,
            scale=unit["temperature_unit"],
            set_temperature=unit["set_temperature"],
            gap_limit_seconds=staleness_limit_seconds or STALENESS_INTERVALS * interval_seconds,
            recorded_at=unit["last_reading_time"],
            temperature_c=temperature_c,
            reading_scale=unit["current_temperature_unit"],
            is_of_retired_sensor=retired_at is not None,
            limits=LimitsInForce(*limits),
        )
        unit["temperature_status"] = _STATUSES[condition.state]
        if temperature_c is not None:
            unit["current_temperature"] = from_celsius(temperature_c, unit["current_temperature_unit"])
    return units


@dataclass(frozen=True, slots=True)
class CurrentTemperatures:
    """The number of units, and a summary of their current temperatures; None if none is known."""

    unit_count: int
    average_c: float | None
    min_c: float | None
    max_c: float | None

    @classmethod
    def of(cls, units: Collection[Representation]) -> Self:
        """Summarise represented units."""
        current_c = [
            to_celsius(unit["current_temperature"], unit["current_temperature_unit"])
            for unit in units
            if unit["temperature_status"] != "no_data"
        ]
        average_c = sum(current_c) / len(current_c) if current_c else None
        return cls(len(units), average_c, min(current_c, default=None), max(current_c, default=None))


class FacilityUnitList(RowListView):
    """Storage units of a facility."""

    creates_once = True
    needs = {"GET": actions.VIEW_FACILITIES, "POST": actions.ADD_UNITS}
    serializer_class = StorageUnitSerializer

    @takes([PageParams], responses=page_of(StorageUnitSerializer))
    def get(self, request: Request, facility_id: UUID) -> Response:
        """List the storage units of a facility."""
        return self.list_page()

    @override
    def get_rows(self) -> Rows:
        facility = get_addressed(Facility, self.request, self.kwargs["facility_id"])
        return unit_values(_units_of(facility, self.request))

    @override
    def represent(self, rows: list[Row]) -> list[Representation]:
        return represent_units(rows)

    @extend_schema(responses={201: StorageUnitSerializer})
    def post(self, request: Request, facility_id: UUID) -> Response:
        """Create a storage unit."""
        facility = get_addressed(Facility, request, facility_id)
        serializer = self.get_serializer(data=request.data)
        with once(request):
            serializer.is_valid(raise_exception=True)
            unit = serializer.save(facility=facility)
            etag = etag_of_new(unit, StorageUnitSerializer)
        return Response(_represent(unit), status.HTTP_201_CREATED, headers={"ETag": etag})


class UnitDetail(VersionedView[StorageUnit]):
    """A storage unit."""

    needs = {"GET": actions.VIEW_FACILITIES, "PUT": actions.CHANGE_UNITS, "PATCH": actions.CHANGE_UNITS}
    serializer_class = StorageUnitSerializer

    def get(self, request: Request, unit_id: UUID) -> Response:
        """Return a storage unit."""
        unit = get_addressed(StorageUnit, request, unit_id)
        return self.versioned(unit, _represent(unit))

    @extend_schema(request=StorageUnitSerializer(partial=True))
    def put(self, request: Request, unit_id: UUID) -> Response:
        """Update a storage unit. All fields are optional; PUT and PATCH behave alike."""
        unit = get_addressed(StorageUnit, request, unit_id)
        with self.changing(request, unit) as serializer:
            serializer.save()
        unit.refresh_from_db()
        return self.versioned(unit, _represent(unit))

    patch = put


class DetailedFacility(GenericAPIView[Facility]):
    """A facility with its units and their current temperatures."""

    needs = {"GET": actions.VIEW_FACILITIES}
    serializer_class = DetailedFacilitySerializer

    @takes([TemperatureUnitParams])
    def get(self, request: Request, facility_id: UUID) -> Response:
        """Return a facility with its units, and the average, minimum and maximum of their current temperatures."""
        scale = TemperatureUnitParams.parse(request)["scale"]
        facility = get_addressed(Facility, request, facility_id)
        units = represent_units(list(unit_values(_units_of(facility, request))))
        own = FACILITY_ROWS.get(Facility.objects.filter(pk=facility.pk))
        [current] = CURRENT_TEMPERATURE_ROWS.represent_in(scale, [CurrentTemperatures.of(units)])
        return Response(own | {"units": units} | current)


def _units_of(facility: Facility, request: Request) -> QuerySet[StorageUnit]:
    units: QuerySet[StorageUnit] = StorageUnit.objects.visible_to(reachable_scope(request))
    return units.filter(facility=facility, is_synthetic=False)


def _represent(unit: StorageUnit) -> Representation:
    """Return the unit as StorageUnitSerializer defines it. Raise Http404 if it is deleted meanwhile."""
    for representation in represent_units(list(unit_values(StorageUnit.objects.filter(pk=unit.pk)))):
        return representation
    raise Http404
