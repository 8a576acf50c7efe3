"""Admin of alarms with their timeline. They are acknowledged and closed on their own pages, which ask for comments."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from alarms.models import Alarm, AlarmEvent, AlarmSignature
from alarms.presenters import AlarmPresenter
from core.web.admin import BigTableAdmin, FewRelatedFilter, SinceFilter, Tone, badge, instant_text

_TONES: dict[str, Tone] = {"open": "bad", "acknowledged": "warning", "pending": "neutral", "closed": "good"}


class StartedFilter(SinceFilter):
    """Filter by the time since the start."""

    title = "started within"
    parameter_name = "since"
    field_name = "started_at"


class EventInline(admin.TabularInline[AlarmEvent, Alarm]):
    """The timeline of an alarm."""

    model = AlarmEvent
    fields = ["happened_at", "kind", "by", "text"]
    readonly_fields = ["happened_at", "kind", "by", "text"]
    ordering = ["happened_at", "pk"]
    extra = 0
    can_delete = False

    @override
    def has_add_permission(self, request: HttpRequest, obj: Alarm | None = None) -> bool:
        return False


class SignatureInline(admin.TabularInline[AlarmSignature, Alarm]):
    """The signatures of an alarm."""

    model = AlarmSignature
    fields = ["signed_at", "meaning", "signer_name", "signer_user_name", "method", "record_sha256"]
    readonly_fields = ["signed_at", "meaning", "signer_name", "signer_user_name", "method", "record_sha256"]
    extra = 0
    can_delete = False

    @override
    def has_add_permission(self, request: HttpRequest, obj: Alarm | None = None) -> bool:
        return False


@admin.register(Alarm)
class AlarmAdmin(BigTableAdmin[Alarm]):
    """Read-only list of alarms."""

    list_display = ["start", "state_badge", "kind", "severity", "customer_code", "location", "peak", "page_link"]
    list_select_related = ["storage_unit__facility", "customer"]
    list_filter = ["state", "kind", "severity", StartedFilter, ("customer", FewRelatedFilter)]
    search_fields = ["=customer__customer_code", "storage_unit__unit_code", "storage_unit__name", "source_name"]
    search_help_text = "Customer code, or part of a unit's code or name or of a source's name."
    sortable_by = ["start"]
    inlines = [EventInline, SignatureInline]

    @admin.display(description="start (UTC)", ordering="started_at")
    def start(self, alarm: Alarm) -> str:
        """Return when the condition began."""
        return instant_text(alarm.started_at)

    @admin.display(description="state")
    def state_badge(self, alarm: Alarm) -> SafeString:
        """Return the state as a badge with the acknowledgement as its tooltip."""
        return badge(alarm.state, _TONES[alarm.state], alarm.acknowledgement)

    @admin.display(description="customer")
    def customer_code(self, alarm: Alarm) -> str:
        """Return the code of the alarm's customer."""
        return alarm.customer.customer_code

    @admin.display
    def location(self, alarm: Alarm) -> str:
        """Return the unit and facility, or the name of the source."""
        return f"{alarm.storage_unit}, {alarm.storage_unit.facility}" if alarm.storage_unit else alarm.source_name

    @admin.display
    def peak(self, alarm: Alarm) -> str:
        """Return the peak temperature on the unit's scale."""
        return AlarmPresenter(alarm, timezone.now()).peak

    @admin.display(description="")
    def page_link(self, alarm: Alarm) -> SafeString:
        """Return a link to the alarm's page."""
        return format_html('<a href="{}">Open</a>', reverse("alarm", args=[alarm.public_id]))
