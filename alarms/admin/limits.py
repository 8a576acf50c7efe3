"""Limits: profiles, what units chose, and the versions that were in force, which are only looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from alarms.limits.profiles import VALUE_NAMES
from alarms.models import LimitProfile, LimitVersion, UnitLimits
from alarms.presenters import in_force
from core.web.admin import BigTableAdmin, DeletesOnlyUnused, FewRelatedFilter, count_of, instant_text
from readings.units.formatting import limits_text


@admin.register(LimitProfile)
class LimitProfileAdmin(DeletesOnlyUnused, admin.ModelAdmin):
    list_display = ["name", "description", "is_default", "unit_count"]
    search_fields = ["name", "description"]
    readonly_fields = ["updated_at"]
    fields = ["name", "description", "is_default", *VALUE_NAMES, "updated_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(unit_count=count_of(UnitLimits, "profile"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not of the default one, which units without a choice have."""
        return super().has_delete_permission(request, obj) and not obj.is_default

    @admin.display(description="units that chose it", ordering="unit_count")
    def unit_count(self, profile: Any) -> str:
        return f"{profile.unit_count:,}"


@admin.register(UnitLimits)
class UnitLimitsAdmin(admin.ModelAdmin):
    list_display = ["storage_unit", "customer_code", "profile", "sensor_policy", "updated_at"]
    list_select_related = ["storage_unit__facility__customer", "profile"]
    list_filter = ["profile", "sensor_policy", ("storage_unit__facility__customer", FewRelatedFilter)]
    search_fields = [
        "=storage_unit__facility__customer__customer_code",
        "storage_unit__unit_code",
        "storage_unit__name",
    ]
    autocomplete_fields = ["storage_unit", "profile"]
    raw_id_fields = ["named_sensor"]
    show_full_result_count = False
    list_per_page = 50

    @admin.display(description="customer")
    def customer_code(self, limits: UnitLimits) -> str:
        return limits.storage_unit.facility.customer.customer_code


@admin.register(LimitVersion)
class LimitVersionAdmin(BigTableAdmin):
    list_display = ["since", "storage_unit", "customer_code", "profile_name", "says", "changed_by"]
    list_select_related = ["storage_unit__facility__customer"]
    list_filter = [("storage_unit__facility__customer", FewRelatedFilter)]
    search_fields = ["=storage_unit__facility__customer__customer_code", "storage_unit__unit_code", "=changed_by"]
    search_help_text = "A customer's code, a part of a unit's code, or who changed them."
    ordering = ["-pk"]
    sortable_by = ()

    @admin.display(description="in force from (UTC)")
    def since(self, version: LimitVersion) -> str:
        return instant_text(version.valid_from)

    @admin.display(description="customer")
    def customer_code(self, version: LimitVersion) -> str:
        return version.storage_unit.facility.customer.customer_code

    @admin.display(description="limits")
    def says(self, version: LimitVersion) -> str:
        return limits_text(in_force(version.limits), version.storage_unit.temperature_unit)
