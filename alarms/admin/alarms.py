"""Alarms with their trail. They are acknowledged and closed on their pages, where the words for it are asked for."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from alarms.models import Alarm, AlarmEvent
from alarms.presenters import ShownAlarm
from core.web.admin import BigTableAdmin, FewRelatedFilter, SinceFilter, Tone, badge, instant_text

_TONES: dict[str, Tone] = {"open": "bad", "acknowledged": "warning", "pending": "neutral", "closed": "good"}


class StartedFilter(SinceFilter):
    title = "began in"
    parameter_name = "since"
    field_name = "started_at"


class EventInline(admin.TabularInline):
    """What happened to the alarm."""

    model = AlarmEvent
    fields = ["happened_at", "kind", "by", "text"]
    readonly_fields = ["happened_at", "kind", "by", "text"]
    ordering = ["happened_at", "pk"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Alarm)
class AlarmAdmin(BigTableAdmin):
    list_display = ["began", "state_mark", "kind", "severity", "customer_code", "where", "worst", "see"]
    list_select_related = ["storage_unit__facility", "customer"]
    list_filter = ["state", "kind", "severity", StartedFilter, ("customer", FewRelatedFilter)]
    search_fields = ["=customer__customer_code", "storage_unit__unit_code", "storage_unit__name", "source_name"]
    search_help_text = "A customer's code, or a part of a unit's code or name or of a source's name."
    sortable_by = ["began"]
    inlines = [EventInline]

    @admin.display(description="began at (UTC)", ordering="started_at")
    def began(self, alarm: Alarm) -> str:
        return instant_text(alarm.started_at)

    @admin.display(description="state")
    def state_mark(self, alarm: Alarm) -> SafeString:
        return badge(alarm.state, _TONES[alarm.state], alarm.acknowledgement)

    @admin.display(description="customer")
    def customer_code(self, alarm: Alarm) -> str:
        return alarm.customer.customer_code

    @admin.display
    def where(self, alarm: Alarm) -> str:
        return f"{alarm.storage_unit}, {alarm.storage_unit.facility}" if alarm.storage_unit else alarm.source_name

    @admin.display(description="worst")
    def worst(self, alarm: Alarm) -> str:
        return ShownAlarm(alarm, timezone.now()).worst

    @admin.display(description="")
    def see(self, alarm: Alarm) -> SafeString:
        return format_html('<a href="{}">its page</a>', reverse("alarm", args=[alarm.public_id]))
