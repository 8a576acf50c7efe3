"""The admin of storage units with their newest readings, and of readings, which are read-only.

Storage units are registered here rather than with the other models of `customers`, because their list shows what is
measured.
"""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from core.web.admin import (
    BigTableAdmin,
    DeletesOnlyUnused,
    FewRelatedFilter,
    M,
    ReadOnlyAdmin,
    SinceFilter,
    Tone,
    VersionedAdmin,
    badge,
    instant_text,
    list_link,
)
from customers.models import Sensor, StorageUnit
from readings.archive_models import ArchivedMonth, ArchiveFile
from readings.equipment_statuses import COUNTED_STATUS_IDS
from readings.models import (
    EquipmentStatus,
    LatestReading,
    ListedFutureReading,
    ListedReading,
    Measurement,
    RollupRebuild,
)
from readings.units.condition import UnitState
from readings.units.formatting import UNKNOWN_TEXT, exact_temperature_text
from readings.units.unit_condition import Condition
from readings.web.presenters import condition_of

TONES: dict[UnitState, Tone] = {
    UnitState.CRITICAL: "bad",
    UnitState.NO_DATA: "bad",
    UnitState.SENSOR_FAULT: "warning",
    UnitState.WARNING: "warning",
    UnitState.NO_LIMITS: "neutral",
    UnitState.IN_LIMITS: "good",
}


class SensorInline(admin.TabularInline[Sensor, StorageUnit]):
    """A unit's sensors, as its source named them."""

    model = Sensor
    fields = ["sensor_code", "created_at"]
    readonly_fields = ["sensor_code", "created_at"]
    extra = 0
    can_delete = False

    @override
    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(StorageUnit)
class StorageUnitAdmin(DeletesOnlyUnused[StorageUnit], VersionedAdmin[StorageUnit]):
    """Storage units with the state of their newest reading."""

    list_display = ["unit_code", "state", "newest", "age", "set_to", "name", "facility", "customer", "see"]
    list_display_links = ["unit_code", "name"]
    list_select_related = ["facility__customer", "latest_reading__sensor"]
    list_filter = ["temperature_unit", ("facility__customer", FewRelatedFilter), ("facility", FewRelatedFilter)]
    search_fields = ["unit_code", "name", "facility__facility_code", "facility__customer__customer_code"]
    autocomplete_fields = ["facility"]
    readonly_fields = ["public_id", "created_at"]
    inlines = [SensorInline]
    fieldsets = [
        (None, {"fields": ["facility", "unit_code", "name", "equipment_type"]}),
        ("Set temperature", {"fields": ["set_temperature", "temperature_unit"]}),
        (
            "Sampling",
            {
                "fields": ["interval_seconds", "gap_limit_seconds"],
                "description": "Coverage, gaps and means follow from these; changing them rebuilds the roll-ups.",
            },
        ),
        ("Size", {"fields": ["size_value", "size_unit"]}),
        ("Record", {"fields": ["public_id", "created_at"], "classes": ["collapse"]}),
    ]

    @admin.display(ordering="facility__customer__customer_code")
    def customer(self, unit: StorageUnit) -> str:
        """Return the customer's code."""
        return unit.facility.customer.customer_code

    @admin.display(description="set temperature")
    def set_to(self, unit: StorageUnit) -> str:
        """Return the set temperature in the unit's scale."""
        return _condition(unit).set_temperature_text

    @admin.display(description="temperature")
    def newest(self, unit: StorageUnit) -> str:
        """Return the newest temperature in the unit's scale."""
        return _condition(unit).temperature_text

    @admin.display(ordering="-latest_reading__recorded_at")
    def age(self, unit: StorageUnit) -> str:
        """Return the age of the newest reading."""
        return _condition(unit).age_text

    @admin.display
    def state(self, unit: StorageUnit) -> SafeString:
        """Return the state as a badge."""
        condition = _condition(unit)
        return badge(condition.state.value, TONES[condition.state], condition.deviation_text)

    @admin.display(description="")
    def see(self, unit: StorageUnit) -> SafeString:
        """Return links to the unit's page and its readings."""
        page = format_html('<a href="{}">page</a>', reverse("unit", args=[unit.public_id]))
        return format_html("{} · {}", page, list_link(ListedReading, "readings", **{UNIT_PARAMETER: unit.pk}))


def _condition(unit: StorageUnit) -> Condition:
    return condition_of(unit, timezone.now())


class RecordedFilter(SinceFilter):
    """Filter by the time of the reading."""

    title = "recorded in"
    parameter_name = "recorded"
    field_name = "recorded_at"


UNIT_PARAMETER = "storage_unit__id__exact"
UNITS_OFFERED = 20
_COLUMNS = ("recorded", "storage_unit", "sensor", "temperature", "quality_score", "equipment_status")


class MeasurementAdmin(BigTableAdmin[M]):
    """Columns shared by the lists of readings and of latest readings."""

    list_display = (*_COLUMNS,)
    list_display_links = None
    list_select_related = ["storage_unit", "sensor", "equipment_status"]

    @admin.display(description="recorded at (UTC)", ordering="recorded_at")
    def recorded(self, reading: Measurement) -> str:
        """Return the time in UTC."""
        return instant_text(reading.recorded_at)

    @admin.display(description="temperature")
    def temperature(self, reading: Measurement) -> str | SafeString:
        """Return the temperature with the digits that were sent."""
        if reading.temperature_c is None:
            return badge("sensor fault", "warning")
        return exact_temperature_text(reading.temperature_c, reading.scale)


@admin.register(ListedReading)
class ReadingAdmin(MeasurementAdmin[ListedReading]):
    """One unit's readings, newest first, which is the order of the key's index."""

    list_filter = [("storage_unit", FewRelatedFilter), RecordedFilter]
    search_fields = ["storage_unit__unit_code"]
    search_help_text = "The code or name of one storage unit, in full."
    sortable_by = ()

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> None:
        """Return nothing: a reading has no page, and a lookup by its text would read every reading."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ListedReading], search_term: str
    ) -> tuple[QuerySet[ListedReading], bool]:
        """Return the readings of the unit filtered or searched for; without exactly one unit, none and a hint."""
        if request.GET.get(UNIT_PARAMETER):
            return queryset, False
        units = self._units_matching(search_term.strip())
        if len(units) == 1:
            return queryset.filter(storage_unit=units[0]), False
        self._explain_how_to_choose(request, search_term, units)
        return queryset.none(), False

    def _units_matching(self, text: str) -> list[StorageUnit]:
        named = StorageUnit.objects.filter(Q(unit_code__iexact=text) | Q(name__iexact=text))
        return list(named.select_related("facility__customer")[:UNITS_OFFERED]) if text else []

    def _explain_how_to_choose(self, request: HttpRequest, search_term: str, units: list[StorageUnit]) -> None:
        if not units:
            missing = f"No storage unit is named “{search_term}”. " if search_term else ""
            self.message_user(request, f"{missing}Readings are listed for one storage unit: search for its code.")
        for unit in units:
            of = f"{unit.facility.customer.customer_code} · {unit.facility} · {unit}"
            link = list_link(ListedReading, of, **{UNIT_PARAMETER: unit.pk})
            self.message_user(request, format_html("Several units have this name: {}", link), messages.INFO)


@admin.register(ListedFutureReading)
class FutureReadingAdmin(MeasurementAdmin[ListedFutureReading]):
    """Readings dated ahead of their arrival, which take effect when their time has come."""

    list_display = (*_COLUMNS, "received")  # type: ignore[assignment]  # the stubs infer a fixed length
    list_filter = [("storage_unit__facility__customer", FewRelatedFilter), ("storage_unit", FewRelatedFilter)]
    search_fields = ["storage_unit__unit_code", "storage_unit__name"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> None:
        """Return nothing: a reading has no page."""

    @admin.display(description="received at (UTC)", ordering="created_at")
    def received(self, reading: ListedFutureReading) -> str:
        """Return the time of arrival in UTC."""
        return instant_text(reading.created_at)


@admin.register(LatestReading)
class LatestReadingAdmin(MeasurementAdmin[LatestReading]):
    """The latest reading of each unit."""

    list_display = (*_COLUMNS, "readings")  # type: ignore[assignment]  # the stubs infer a fixed length
    list_filter = [RecordedFilter, "equipment_status"]
    search_fields = ["storage_unit__unit_code", "storage_unit__name"]
    ordering = ["storage_unit_id"]

    @admin.display(description="")
    def readings(self, reading: LatestReading) -> SafeString:
        """Return a link to the unit's readings."""
        return list_link(ListedReading, "readings", **{UNIT_PARAMETER: reading.storage_unit_id})


@admin.register(EquipmentStatus)
class EquipmentStatusAdmin(ReadOnlyAdmin[EquipmentStatus]):
    """The equipment statuses that were sent."""

    list_display = ["name", "meaning"]

    @admin.display(description="")
    def meaning(self, status: EquipmentStatus) -> str:
        """Return whether the roll-ups count the status."""
        return "counted by the roll-ups" if status.pk in COUNTED_STATUS_IDS.values() else UNKNOWN_TEXT


class ArchiveFileInline(admin.TabularInline[ArchiveFile, ArchivedMonth]):
    """The files of a month, also those that were replaced and remain for a while."""

    model = ArchiveFile
    readonly_fields = ["name", "byte_count", "reading_count", "unit_count", "sha256", "written_at", "replaced_at"]
    fields = (*readonly_fields,)
    extra = 0
    can_delete = False

    @override
    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(ArchivedMonth)
class ArchivedMonthAdmin(ReadOnlyAdmin[ArchivedMonth]):
    """The months whose readings are in files, were restored, or could not be archived."""

    list_display = ["month_text", "state", "readings", "size", "changed_at", "restored_until", "problem"]
    list_filter = ["is_archived"]
    fields = ["month", "is_archived", "changed_at", "restored_until", "problem", "failed_at"]
    inlines = [ArchiveFileInline]

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[ArchivedMonth]:
        live = Q(files__replaced_at=None)
        return (
            super()
            .get_queryset(request)
            .annotate(
                reading_count=Sum("files__reading_count", filter=live, default=0),
                byte_count=Sum("files__byte_count", filter=live, default=0),
            )
        )

    @admin.display(description="month", ordering="month")
    def month_text(self, month: ArchivedMonth) -> str:
        """Return the month as the commands name it."""
        return str(month)

    @admin.display
    def state(self, month: ArchivedMonth) -> SafeString:
        """Return where the readings are as a badge."""
        if month.problem:
            return badge("not archived", "bad", month.problem)
        return badge("archived", "good") if month.is_archived else badge("in the database", "neutral")

    @admin.display(description="archived readings", ordering="reading_count")
    def readings(self, month: ArchivedMonth) -> str:
        """Return the number of readings in the month's files."""
        return f"{month.reading_count:,}"  # type: ignore[attr-defined]  # annotated by get_queryset

    @admin.display(ordering="byte_count")
    def size(self, month: ArchivedMonth) -> str:
        """Return the size of the month's files."""
        return filesizeformat(month.byte_count)  # type: ignore[attr-defined]  # as above


@admin.register(RollupRebuild)
class RollupRebuildAdmin(ReadOnlyAdmin[RollupRebuild]):
    """The units with roll-ups to be rebuilt, and the errors of attempts that failed."""

    list_display = ["storage_unit", "requested_at", "attempts", "next_attempt_at", "error"]
    list_select_related = ["storage_unit__facility__customer"]
    search_fields = ["storage_unit__unit_code", "storage_unit__name", "error"]
    search_help_text = "Part of a unit's code or name, or of the error."
    ordering = ["requested_at"]
    actions = ["retry_now"]

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may have failed rebuilds retried."""
        return request.user.has_perm("readings.change_rolluprebuild")

    @admin.action(description="Retry now", permissions=["retry"])
    def retry_now(self, request: HttpRequest, queryset: QuerySet[RollupRebuild]) -> None:
        """Have the selected roll-ups rebuilt at once."""
        count = queryset.update(next_attempt_at=None)
        self.message_user(request, f"{count:,} will be rebuilt within a minute.", messages.SUCCESS)
