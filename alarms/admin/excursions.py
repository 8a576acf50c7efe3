"""Admin of excursions, which are computed from readings and limits."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from alarms.admin.alarms import StartedFilter
from alarms.models import Excursion
from core.web.admin import BigTableAdmin, FewRelatedFilter, badge, instant_text
from readings.units.formatting import duration_text, temperature_text


@admin.register(Excursion)
class ExcursionAdmin(BigTableAdmin[Excursion]):
    """Read-only list of excursions."""

    list_display = [
        "start",
        "severity_badge",
        "kind",
        "duration",
        "peak",
        "customer_code",
        "storage_unit",
        "is_detected_late",
    ]
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
    search_help_text = "Customer code, or part of a unit's code or name."
    sortable_by = ["start"]

    @admin.display(description="start (UTC)", ordering="started_at")
    def start(self, excursion: Excursion) -> str:
        """Return when the excursion began."""
        return instant_text(excursion.started_at)

    @admin.display(description="severity")
    def severity_badge(self, excursion: Excursion) -> SafeString:
        """Return the severity as a badge."""
        return badge(excursion.severity, "bad" if excursion.severity == "critical" else "warning")

    @admin.display
    def duration(self, excursion: Excursion) -> str:
        """Return how long the excursion lasted, or has lasted so far."""
        duration = duration_text((excursion.ended_at or timezone.now()) - excursion.started_at)
        return duration if excursion.ended_at else f"{duration}, ongoing"

    @admin.display
    def peak(self, excursion: Excursion) -> str:
        """Return the peak temperature on the unit's scale."""
        return temperature_text(excursion.peak_c, excursion.storage_unit.temperature_unit)

    @admin.display(description="customer")
    def customer_code(self, excursion: Excursion) -> str:
        """Return the code of the unit's customer."""
        return excursion.storage_unit.facility.customer.customer_code
