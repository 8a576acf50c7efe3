"""Maintenance windows: times in which nobody is told."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from alarms.models import MaintenanceWindow
from core.web.admin import FewRelatedFilter, badge


@admin.register(MaintenanceWindow)
class MaintenanceWindowAdmin(admin.ModelAdmin):
    list_display = ["reason", "now", "customer", "facility", "storage_unit", "starts_at", "ends_at", "created_by"]
    list_select_related = ["customer", "facility", "storage_unit", "created_by"]
    list_filter = [("customer", FewRelatedFilter)]
    search_fields = ["reason", "=customer__customer_code"]
    autocomplete_fields = ["customer", "facility", "storage_unit"]

    def save_model(self, request: HttpRequest, obj: MaintenanceWindow, form: forms.ModelForm, change: bool) -> None:
        """Note who entered it."""
        if not change:
            user: Any = request.user
            obj.created_by = user
        super().save_model(request, obj, form, change)

    @admin.display(description="now")
    def now(self, window: MaintenanceWindow) -> SafeString:
        now = timezone.now()
        if window.ends_at <= now:
            return badge("over", "neutral")
        return badge("under way", "warning") if window.starts_at <= now else badge("to come", "neutral")
