"""REST API view of a storage unit's sensors and their clocks."""

from __future__ import annotations

from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import override

from core.api.lists import RowListView, page_of
from core.api.pagination import PageParams, Rows
from core.api.query_params import takes
from core.api.serializer_rows import SerializerRows
from core.api.versions import etag_of_values
from customers.access import actions
from customers.access.lookup import get_addressed
from customers.models import Sensor, StorageUnit
from readings.lists.sensors import with_future_readings


class SensorSerializer(serializers.Serializer[Sensor]):
    """A sensor and its clock."""

    sensor_id = serializers.CharField(
        source="sensor_code", read_only=True, help_text="The code by which the sensor's readings name it."
    )
    created_at = serializers.DateTimeField(read_only=True)
    retired_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="From when on it does not count; null while it does."
    )
    clock_drift_seconds = serializers.FloatField(
        source="clock.drift_seconds",
        read_only=True,
        allow_null=True,
        help_text="How far the sensor's clock is ahead at least; negative if it is behind. Null if it is not measured.",
    )
    clock_measured_at = serializers.DateTimeField(source="clock.measured_at", read_only=True, allow_null=True)
    future_reading_count = serializers.IntegerField(
        read_only=True, help_text="Stored readings that are dated ahead and take effect when their time has come."
    )


def etag_of_sensors(unit: StorageUnit) -> str:
    """Return the ETag of which sensors of the unit count, and since when others do not."""
    return etag_of_values(list(unit.sensors.order_by("pk").values_list("pk", "retired_at")))


class UnitSensorList(RowListView):
    """Sensors of a storage unit."""

    is_versioned = True
    needs = {"GET": actions.VIEW_FACILITIES}
    serializer_class = SensorSerializer
    rows = SerializerRows(SensorSerializer)

    @takes([PageParams], responses=page_of(SensorSerializer))
    def get(self, request: Request, unit_id: UUID) -> Response:
        """List the sensors of a storage unit, with the drift of their clocks."""
        self.unit = get_addressed(StorageUnit, request, unit_id)
        # Before the list: an ETag of a later version would let a change overwrite what was not seen.
        etag = etag_of_sensors(self.unit)
        response = self.list_page()
        response.headers["ETag"] = etag
        return response

    @override
    def get_rows(self) -> Rows:
        unit = self.unit
        return self.rows.values(with_future_readings(Sensor.objects.filter(storage_unit=unit)).order_by("sensor_code"))
