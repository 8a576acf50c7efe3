"""The REST API of limits: the profiles there are, and what a unit has."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from alarms.api.serializers import LimitProfileSerializer, LimitVersionSerializer, UnitLimitsSerializer
from alarms.limits.profiles import choice_of, values_of
from alarms.limits.versions import newest_versions
from alarms.models import LimitProfile, UnitLimits
from core.api.schema import PAGE, page_of
from customers.access.lookup import addressed
from customers.access.permissions import READ, READ_AND_WRITE
from customers.access.principal import principal_of
from customers.api.row_lists import Shape, ShapedList
from customers.models import StorageUnit


class LimitProfileList(ShapedList, GenericAPIView[LimitProfile]):
    """The profiles of limits that units may have, which are the same for every customer."""

    needs = READ
    serializer_class = LimitProfileSerializer
    shape = Shape(LimitProfileSerializer)

    @extend_schema(parameters=PAGE, responses=page_of(LimitProfileSerializer))
    def get(self, request: Request) -> Response:
        return super().get(request)

    def get_queryset(self) -> QuerySet[LimitProfile]:
        return LimitProfile.objects.order_by("name")


class UnitLimitsView(GenericAPIView[UnitLimits]):
    """The limits of a storage unit. PUT takes any subset of the fields; it is for who manages the customer."""

    needs = {method: READ_AND_WRITE[method] for method in ("GET", "PUT")}
    serializer_class = UnitLimitsSerializer

    def get(self, request: Request, unit_id: UUID) -> Response:
        return Response(_in_form(addressed(StorageUnit, request, unit_id)))

    @extend_schema(request=UnitLimitsSerializer(partial=True))
    def put(self, request: Request, unit_id: UUID) -> Response:
        """Give the unit the limits of a profile or its own; they are in force from now on."""
        unit: StorageUnit = addressed(StorageUnit, request, unit_id, "facility")
        if not principal_of(request).may_manage(unit.facility.customer_id):
            raise PermissionDenied("Limits are changed by who manages the customer.")
        serializer = self.get_serializer(choice_of(unit), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(_in_form(unit))


def _in_form(unit: StorageUnit) -> dict[str, Any]:
    choice = choice_of(unit)
    newest = newest_versions([unit.pk]).get(unit.pk)
    return {
        "storage_unit_id": unit.public_id,
        "profile_id": choice.profile.public_id if choice.profile else None,
        **values_of(choice),
        "sensor_policy": choice.sensor_policy,
        "sensor_id": choice.named_sensor.sensor_code if choice.named_sensor else None,
        "in_force": LimitVersionSerializer(newest).data if newest else None,
    }
