"""The admin of sensors, registered here because retiring one depends on the limits of its unit."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from alarms.limits.retirement import RetirementError, retire, return_to_service
from core.web.admin import BigTableAdmin
from customers.access.audit_actor import audit_actor
from customers.models import Facility, Sensor


@admin.register(Sensor)
class SensorAdmin(BigTableAdmin[Sensor]):
    """Sensors, which deliveries register and readings refer to permanently."""

    list_display = ["sensor_code", "storage_unit", "facility", "customer", "created_at", "retired_at"]
    list_select_related = ["storage_unit__facility__customer"]
    search_fields = ["sensor_code", "storage_unit__unit_code", "storage_unit__name"]

    actions = ["retire_now", "return_to_service"]

    def has_retire_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may retire sensors."""
        return request.user.has_perm("customers.change_sensor")

    @admin.action(description="Retire from now on", permissions=["retire"])
    def retire_now(self, request: HttpRequest, queryset: QuerySet[Sensor]) -> None:
        """Let the selected sensors count no longer, except reference sensors; their units are evaluated again."""
        now, count = timezone.now(), 0
        for sensor in queryset.filter(retired_at=None).select_related("storage_unit__facility__customer"):
            try:
                retire(sensor, now, by=audit_actor())
            except RetirementError as error:
                unit = sensor.storage_unit
                of = f"{unit.facility.customer.customer_code} · {unit.facility} · {unit}"
                self.message_user(request, f"Sensor {sensor} of {of} is not retired. {error}", messages.ERROR)
            else:
                count += 1
        self.message_user(request, f"{count:,} retired.", messages.SUCCESS if count else messages.WARNING)

    @admin.action(description="Return to service", permissions=["retire"])
    def return_to_service(self, request: HttpRequest, queryset: QuerySet[Sensor]) -> None:
        """Let the selected sensors count again; their units are evaluated again."""
        retired = list(queryset.filter(retired_at__isnull=False))
        for sensor in retired:
            return_to_service(sensor, by=audit_actor())
        self.message_user(request, f"{len(retired):,} returned to service.", messages.SUCCESS)

    @admin.display(ordering="storage_unit__facility__facility_code")
    def facility(self, sensor: Sensor) -> Facility:
        """Return the facility."""
        return sensor.storage_unit.facility

    @admin.display(ordering="storage_unit__facility__customer__customer_code")
    def customer(self, sensor: Sensor) -> str:
        """Return the customer's code."""
        return sensor.storage_unit.facility.customer.customer_code
