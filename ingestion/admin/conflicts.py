"""Conflicts: rows that contradict stored readings, for a person to accept or dismiss."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.web.admin import FewRelatedFilter, WaitingFilter, instant_text
from ingestion.admin.decisions import DecidedAdmin
from ingestion.loading import conflicts
from ingestion.models import Conflict
from ingestion.presenters import ConflictPresenter


@admin.register(Conflict)
class ConflictAdmin(DecidedAdmin[Conflict]):
    """Lists conflicts and lets staff accept or dismiss them."""

    list_display = [
        "recorded", "decision", "customer_code", "storage_unit", "sensor", "stored", "sent", "difference",
        "received_at", "seen_count",
    ]  # fmt: skip
    list_select_related = ["storage_unit__facility__customer", "sensor"]
    list_filter = [WaitingFilter, ("storage_unit__facility__customer", FewRelatedFilter)]
    search_fields = [
        "storage_unit__unit_code",
        "storage_unit__name",
        "=storage_unit__facility__customer__customer_code",
    ]
    search_help_text = "A customer's code, or a part of a unit's code or name."
    sortable_by = ["recorded", "received_at"]
    actions = ["accept", "dismiss"]
    fieldsets = [
        (None, {"fields": ["storage_unit", "sensor", "recorded_at"]}),
        ("Temperatures", {"fields": ["stored", "sent", "difference", "quality_score"]}),
        ("Received", {"fields": ["delivery", "received_at", "last_seen_at", "seen_count"]}),
        ("Decision", {"fields": ["decision", "decided_at", "decided_by"]}),
    ]
    readonly_fields = ["stored", "sent", "difference", "decision"]

    @admin.display(description="recorded at (UTC)", ordering="recorded_at")
    def recorded(self, conflict: Conflict) -> str:
        """Return the time of the reading."""
        return instant_text(conflict.recorded_at)

    @admin.display(description="customer")
    def customer_code(self, conflict: Conflict) -> str:
        """Return the customer's code."""
        return conflict.storage_unit.facility.customer.customer_code

    @admin.display(description="stored")
    def stored(self, conflict: Conflict) -> str:
        """Return the stored temperature."""
        return ConflictPresenter(conflict).stored

    @admin.display(description="sent later")
    def sent(self, conflict: Conflict) -> str:
        """Return the temperature sent later."""
        return ConflictPresenter(conflict).sent

    @admin.display
    def difference(self, conflict: Conflict) -> str:
        """Return the later temperature minus the stored one."""
        return ConflictPresenter(conflict).difference

    @admin.action(description="Accept: replace the stored readings", permissions=["decide"])
    def accept(self, request: HttpRequest, chosen: QuerySet[Conflict]) -> None:
        """Replace the stored readings by the selected conflicts."""
        accepted = conflicts.accept(chosen, by=request.user.get_username())
        self.message_user(request, f"Conflicts accepted: {accepted}.")

    @admin.action(description="Dismiss: keep the stored readings", permissions=["decide"])
    def dismiss(self, request: HttpRequest, chosen: QuerySet[Conflict]) -> None:
        """Keep the stored readings."""
        dismissed = conflicts.dismiss(chosen, by=request.user.get_username())
        self.message_user(request, f"Conflicts dismissed: {dismissed}.")
