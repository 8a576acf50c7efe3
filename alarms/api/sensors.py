"""REST API view that retires sensors."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from alarms.limits.retirement import RetirementError, retire, return_to_service
from alarms.models.limit_locks import lock_limits_of_units
from core.api.fields import KnownFieldsMixin
from core.api.versions import require_match
from customers.access import actions
from customers.access.audit_actor import audit_actor
from customers.access.lookup import get_addressed
from customers.models import Sensor, StorageUnit
from readings.api.sensors import etag_of_sensors


class RetirementSerializer(KnownFieldsMixin, serializers.Serializer[Sensor]):
    """A sensor, and from when on it does not count."""

    sensor_id = serializers.CharField(
        source="sensor_code", allow_blank=True, help_text="The code by which the sensor's readings name it."
    )
    retired_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Now if not given. Null returns the sensor to service."
    )


class SensorRetirement(GenericAPIView[Sensor]):
    """The retirement of a storage unit's sensors."""

    is_versioned = True
    needs = {"PUT": actions.CHANGE_LIMITS}
    serializer_class = RetirementSerializer

    @extend_schema(responses=RetirementSerializer)
    def put(self, request: Request, unit_id: UUID) -> Response:
        """Retire a sensor, from now or an earlier time on, or return it to service.

        From then on it does not count for limits, and its readings are rejected. Only managers may do this.
        """
        unit: StorageUnit = get_addressed(StorageUnit, request, unit_id, "facility")
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        with transaction.atomic():
            lock_limits_of_units([unit.pk])
            sensor = unit.sensors.filter(sensor_code=values["sensor_code"]).first()
            if sensor is None:
                raise serializers.ValidationError({"sensor_id": ["The unit has no such sensor."]})
            require_match(request, etag_of_sensors(unit), lambda: RetirementSerializer(sensor).data)
            _change(sensor, values.get("retired_at", timezone.now()))
        return Response(RetirementSerializer(sensor).data, headers={"ETag": etag_of_sensors(unit)})


def _change(sensor: Sensor, retired_at: datetime | None) -> None:
    try:
        if retired_at is None:
            return_to_service(sensor, by=audit_actor())
        else:
            retire(sensor, retired_at, by=audit_actor())
    except RetirementError as error:
        raise serializers.ValidationError({"retired_at": [str(error)]}) from error
