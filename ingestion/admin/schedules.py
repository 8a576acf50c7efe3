"""The polling schedule of every source, next to beat's own entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminIntegerFieldWidget
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from typing_extensions import override

from core.web.admin import FewRelatedFilter, VersionedAdmin, badge, instant_text
from ingestion.admin.sources import TONES
from ingestion.models import Source, SourceSchedule
from ingestion.polling import claims
from ingestion.selectors import SourceState, with_state
from readings.units.formatting import age_text

if TYPE_CHECKING:
    from ingestion.selectors import StatefulSource

# These are not polled, whatever their next run says.
_NOT_POLLED = (SourceState.PAUSED, SourceState.INACTIVE)


@admin.register(SourceSchedule)
class SourceScheduleAdmin(VersionedAdmin[SourceSchedule]):
    """Lists polled sources with their interval and next run; interval and pause are edited in the list."""

    change_list_template = "admin/source_schedules.html"
    list_display = ["customer_code", "name", "interval_seconds", "is_paused", "next_run", "last_run", "state"]
    list_display_links = ["name"]
    list_editable = ["interval_seconds", "is_paused"]
    list_select_related = ["customer"]
    list_filter = ["is_paused", "interval_seconds", ("customer", FewRelatedFilter)]
    search_fields = ["name", "customer__customer_code", "customer__name"]
    ordering = ["customer__customer_code", "name"]
    actions = ["run_now"]
    formfield_overrides = {  # inputs in the list have no label
        models.PositiveIntegerField: {"widget": AdminIntegerFieldWidget(attrs={"aria-label": "Interval in seconds"})},
        models.BooleanField: {"widget": forms.CheckboxInput(attrs={"aria-label": "Paused"})},
    }
    fields = ["customer", "name", "interval_seconds", "is_paused", "next_due_at", "last_polled_at", "last_success_at"]
    readonly_fields = ["customer", "name", "next_due_at", "last_polled_at", "last_success_at"]

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceSchedule]:
        polled = cast("QuerySet[Source]", super().get_queryset(request).exclude(url=""))
        return cast("QuerySet[SourceSchedule]", with_state(polled, timezone.now()))

    @override
    def has_view_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        return request.user.has_perm("ingestion.view_source") or self.has_change_permission(request)

    @override
    def has_change_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        return request.user.has_perm("ingestion.change_source")

    @override
    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        return False

    @override
    def save_model(
        self, request: HttpRequest, obj: SourceSchedule, form: forms.ModelForm[SourceSchedule], change: bool
    ) -> None:
        # Only what was changed: a poll may be writing the source's state at the same time.
        source = Source.objects.filter(pk=obj.pk)
        if "interval_seconds" in form.changed_data:
            obj.save(update_fields=["interval_seconds", "updated_at"])
            claims.poll_now(source)
        if "is_paused" in form.changed_data:
            (claims.pause if obj.is_paused else claims.resume)(source)

    @admin.display(description="customer", ordering="customer__customer_code")
    def customer_code(self, source: Source) -> str:
        """Return the customer's code."""
        return source.customer.customer_code

    @admin.display(description="next run (UTC)", ordering="next_due_at")
    def next_run(self, source: StatefulSource) -> str:
        """Return when the source is polled next."""
        if source.state in _NOT_POLLED:
            return "–"
        now = timezone.now()
        if source.is_polling_at(now):
            return "running"
        return "due now" if source.next_due_at <= now else instant_text(source.next_due_at)

    @admin.display(description="last run", ordering="last_polled_at")
    def last_run(self, source: Source) -> str:
        """Return how long ago the source was polled."""
        return f"{age_text(timezone.now() - source.last_polled_at)} ago" if source.last_polled_at else "never"

    @admin.display(ordering="state")
    def state(self, source: StatefulSource) -> SafeString:
        """Return the state as a badge."""
        return badge(SourceState(source.state).label, TONES[source.state], source.last_error)

    @admin.action(description="Run now", permissions=["change"])
    def run_now(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        """Make the selected sources due at once."""
        self.message_user(request, f"Sources due for polling: {claims.poll_now(sources)}.")
