"""Rejected rows: their reasons, and their replay or dismissal."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from core.web.admin import FewRelatedFilter, WaitingFilter, instant_text
from ingestion.admin.decisions import DecidedAdmin
from ingestion.loading import replay
from ingestion.models import RejectedRow

MAX_CHARACTERS = 90


@admin.register(RejectedRow)
class RejectedRowAdmin(DecidedAdmin[RejectedRow]):
    """Lists rejected rows and lets staff replay or dismiss them."""

    list_display = [
        "received", "decision", "reason", "beginning", "customer_code", "source_name", "row_number", "seen_count",
    ]  # fmt: skip
    list_select_related = ["customer", "source"]
    list_filter = [WaitingFilter, "reason", ("customer", FewRelatedFilter)]
    search_fields = ["=customer__customer_code", "raw", "message"]
    search_help_text = "A customer's code, or a part of the row or of its message."
    sortable_by = ["received"]
    actions = ["replay", "dismiss"]
    fieldsets = [
        (None, {"fields": ["customer", "source", "delivery", "row_number", "reason", "message"]}),
        ("As received", {"fields": ["header_as_sent", "raw_as_sent", "default_unit_code"]}),
        ("When", {"fields": ["received_at", "last_seen_at", "seen_count"]}),
        ("Decision", {"fields": ["decision", "decided_at", "decided_by"]}),
    ]
    readonly_fields = ["header_as_sent", "raw_as_sent", "decision"]

    @admin.display(description="received at (UTC)", ordering="received_at")
    def received(self, row: RejectedRow) -> str:
        """Return the time the row was first received."""
        return instant_text(row.received_at)

    @admin.display(description="customer")
    def customer_code(self, row: RejectedRow) -> str:
        """Return the customer's code."""
        return row.customer.customer_code

    @admin.display(description="source", empty_value="–")
    def source_name(self, row: RejectedRow) -> str | None:
        """Return the source's name."""
        return row.source.name if row.source else None

    @admin.display(description="row")
    def beginning(self, row: RejectedRow) -> SafeString:
        """Return the start of the row, with the message as its title."""
        return format_html('<span title="{}">{}</span>', row.message, Truncator(row.raw).chars(MAX_CHARACTERS))

    @admin.display(description="header")
    def header_as_sent(self, row: RejectedRow) -> SafeString:
        """Return the header as received."""
        return format_html('<pre class="as-sent">{}</pre>', row.header)

    @admin.display(description="row")
    def raw_as_sent(self, row: RejectedRow) -> SafeString:
        """Return the row as received."""
        return format_html('<pre class="as-sent">{}</pre>', row.raw)

    @admin.action(description="Replay", permissions=["decide"])
    def replay(self, request: HttpRequest, rows: QuerySet[RejectedRow]) -> None:
        """Replay the selected rows."""
        result = replay.replay(rows, by=request.user.get_username())
        self.message_user(request, f"Rows replayed: {result.replayed}; rejected again: {result.still_rejected}.")

    @admin.action(description="Dismiss", permissions=["decide"])
    def dismiss(self, request: HttpRequest, rows: QuerySet[RejectedRow]) -> None:
        """Dismiss the selected rows."""
        self.message_user(request, f"Rows dismissed: {replay.dismiss(rows, by=request.user.get_username())}.")
