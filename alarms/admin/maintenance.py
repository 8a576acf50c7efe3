"""Admin of maintenance windows."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from typing_extensions import override

from alarms.models import MaintenanceWindow
from core.web.admin import FewRelatedFilter, VersionedAdmin, badge


@admin.register(MaintenanceWindow)
class MaintenanceWindowAdmin(VersionedAdmin[MaintenanceWindow]):
    """Edit maintenance windows; new ones record who scheduled them."""

    list_display = ["reason", "status", "customer", "facility", "storage_unit", "starts_at", "ends_at", "created_by"]
    list_select_related = ["customer", "facility", "storage_unit", "created_by"]
    list_filter = [("customer", FewRelatedFilter)]
    search_fields = ["reason", "=customer__customer_code"]
    autocomplete_fields = ["customer", "facility", "storage_unit"]

    @override
    def save_model(
        self, request: HttpRequest, obj: MaintenanceWindow, form: forms.ModelForm[MaintenanceWindow], change: bool
    ) -> None:
        if not change:
            obj.created_by = cast(User, request.user)  # the admin requires a signed-in user
        super().save_model(request, obj, form, change)

    @admin.display
    def status(self, window: MaintenanceWindow) -> SafeString:
        """Return whether the window has ended, is in progress or is scheduled."""
        now = timezone.now()
        if window.ends_at <= now:
            return badge("ended", "neutral")
        return badge("in progress", "warning") if window.starts_at <= now else badge("scheduled", "neutral")
