"""Excursions, which the system works out from readings and limits."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from alarms.admin.alarms import StartedFilter
from alarms.models import Excursion
from core.web.admin import BigTableAdmin, FewRelatedFilter, badge, instant_text
from readings.units.formatting import duration_text, temperature_text


@admin.register(Excursion)
class ExcursionAdmin(BigTableAdmin):
    list_display = ["began", "how_bad", "kind", "lasted", "peak", "customer_code", "storage_unit", "is_detected_late"]
    list_select_related = ["storage_unit__facility__customer"]
    list_filter = [
        "kind",
        "severity",
        "is_detected_late",
        StartedFilter,
        ("storage_unit__facility__customer", FewRelatedFilter),
    ]
    search_fields = [
        "=storage_unit__facility__customer__customer_code",
        "storage_unit__unit_code",
        "storage_unit__name",
    ]
    search_help_text = "A customer's code, or a part of a unit's code or name."
    sortable_by = ["began"]

    @admin.display(description="began at (UTC)", ordering="started_at")
    def began(self, excursion: Excursion) -> str:
        return instant_text(excursion.started_at)

    @admin.display(description="severity")
    def how_bad(self, excursion: Excursion) -> SafeString:
        return badge(excursion.severity, "bad" if excursion.severity == "critical" else "warning")

    @admin.display(description="lasted")
    def lasted(self, excursion: Excursion) -> str:
        duration = duration_text((excursion.ended_at or timezone.now()) - excursion.started_at)
        return duration if excursion.ended_at else f"{duration}, lasts"

    @admin.display
    def peak(self, excursion: Excursion) -> str:
        return temperature_text(excursion.peak_c, excursion.storage_unit.temperature_unit)

    @admin.display(description="customer")
    def customer_code(self, excursion: Excursion) -> str:
        return excursion.storage_unit.facility.customer.customer_code
