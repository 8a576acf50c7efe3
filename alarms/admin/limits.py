"""Admin of limit profiles and unit limits, and the read-only limit versions."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from typing_extensions import override

from alarms.limits.choice_forms import ProfileLimitsForm, UnitLimitsChoiceForm
from alarms.limits.profiles import VALUE_NAMES
from alarms.models import CustomerLimits, LimitProfile, LimitVersion, UnitLimits
from alarms.models.limit_locks import lock_limits_of_units, lock_shared_limits
from alarms.presenters import condition_limits
from core.web.admin import BigTableAdmin, DeletesOnlyUnused, FewRelatedFilter, VersionedAdmin, count_of, instant_text
from readings.units.formatting import limits_text


@admin.register(LimitProfile)
class LimitProfileAdmin(DeletesOnlyUnused[LimitProfile], VersionedAdmin[LimitProfile]):
    """Edit limit profiles; the default profile cannot be deleted."""

    form = ProfileLimitsForm
    list_display = ["name", "description", "is_default", "unit_count"]
    search_fields = ["name", "description"]
    readonly_fields = ["updated_at"]
    fields = ["name", "description", "is_default", *VALUE_NAMES, "updated_at"]

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[LimitProfile]:
        return super().get_queryset(request).annotate(unit_count=count_of(UnitLimits, "profile"))

    @override
    def has_delete_permission(self, request: HttpRequest, obj: LimitProfile | None = None) -> bool:
        is_default = isinstance(obj, LimitProfile) and obj.is_default
        return not is_default and super().has_delete_permission(request, obj)

    @admin.display(description="units", ordering="unit_count")
    def unit_count(self, profile: LimitProfile) -> str:
        """Return how many units use the profile."""
        return f"{profile.unit_count:,}"  # type: ignore[attr-defined]  # annotated by get_queryset


@admin.register(CustomerLimits)
class CustomerLimitsAdmin(VersionedAdmin[CustomerLimits]):
    """Edit the default limits of customers."""

    list_display = ["customer", "profile", "updated_at"]
    list_select_related = ["customer", "profile"]
    list_filter = ["profile"]
    search_fields = ["=customer__customer_code", "customer__name"]
    autocomplete_fields = ["customer", "profile"]
    show_full_result_count = False
    list_per_page = 50

    @override
    def lock(self, request: HttpRequest, object_id: str | None) -> None:
        lock_shared_limits()
        super().lock(request, object_id)


@admin.register(UnitLimits)
class UnitLimitsAdmin(VersionedAdmin[UnitLimits]):
    """Edit the limits of single units."""

    form = UnitLimitsChoiceForm
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

    @override
    def lock(self, request: HttpRequest, object_id: str | None) -> None:
        unit_id = object_id or request.POST.get("storage_unit", "")
        lock_limits_of_units([int(unit_id)] if unit_id.isdecimal() else [])
        super().lock(request, object_id)

    @admin.display(description="customer")
    def customer_code(self, limits: UnitLimits) -> str:
        """Return the code of the unit's customer."""
        return limits.storage_unit.facility.customer.customer_code


@admin.register(LimitVersion)
class LimitVersionAdmin(BigTableAdmin[LimitVersion]):
    """Read-only list of limit versions."""

    list_display = [
        "since",
        "storage_unit",
        "customer_code",
        "profile_name",
        "is_provisional",
        "limits",
        "changed_by",
        "reason",
        "superseded_at",
    ]
    list_select_related = ["storage_unit__facility__customer"]
    list_filter = [("storage_unit__facility__customer", FewRelatedFilter)]
    search_fields = ["=storage_unit__facility__customer__customer_code", "storage_unit__unit_code", "=changed_by"]
    search_help_text = "Customer code, part of a unit's code, or who made the change."
    ordering = ["-pk"]
    sortable_by = ()

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[LimitVersion]:
        versions: QuerySet[LimitVersion] = LimitVersion.history.order_by(*self.ordering)
        return versions

    @admin.display(description="in force from (UTC)")
    def since(self, version: LimitVersion) -> str:
        """Return when the version came into force."""
        return instant_text(version.valid_from)

    @admin.display(description="customer")
    def customer_code(self, version: LimitVersion) -> str:
        """Return the code of the unit's customer."""
        return version.storage_unit.facility.customer.customer_code

    @admin.display
    def limits(self, version: LimitVersion) -> str:
        """Return the limits on the unit's scale."""
        return limits_text(condition_limits(version.limits), version.storage_unit.temperature_unit)
