"""The trail in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from audit.models import AuditEntry
from core.web.admin import BigTableAdmin, SinceFilter, instant_text


class HappenedFilter(SinceFilter):
    """Filter by when it happened."""

    title = "time"
    parameter_name = "since"
    field_name = "happened_at"


@admin.register(AuditEntry)
class AuditEntryAdmin(BigTableAdmin[AuditEntry]):
    """The entries, newest first. PostgreSQL writes them, and nobody changes them."""

    list_display = ["when", "actor_name", "action", "model", "object_label", "customer_id", "origin", "reason"]
    list_filter = [HappenedFilter, "action", "actor_kind", "origin"]
    search_fields = ["=actor_name", "=object_id", "=model"]
    search_help_text = "A user name, a model such as customers.storageunit, or the id of an object."

    @admin.display(description="time (UTC)", ordering="id")
    def when(self, entry: AuditEntry) -> str:
        """When it happened."""
        return instant_text(entry.happened_at)
