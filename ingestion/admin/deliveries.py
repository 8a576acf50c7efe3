"""Deliveries: the read-only log of polls, pushes and imports."""

from __future__ import annotations

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.utils.safestring import SafeString

from core.web.admin import BigTableAdmin, FewRelatedFilter, SinceFilter, Tone, badge, instant_text, list_link
from ingestion.models import Conflict, Delivery, RejectedRow
from readings.units.formatting import elapsed_text

TONES: dict[str, Tone] = {
    Delivery.Status.SUCCESS: "good",
    Delivery.Status.PARTIAL: "warning",
    Delivery.Status.FAILURE: "bad",
}


class StartedFilter(SinceFilter):
    """Filters deliveries by the time they started."""

    title = "started in"
    parameter_name = "started"
    field_name = "started_at"


@admin.register(Delivery)
class DeliveryAdmin(BigTableAdmin[Delivery]):
    """Lists deliveries with their status and counts."""

    list_display = [
        "started", "outcome", "customer_code", "source_name", "ingestion_type", "records_processed",
        "records_stored", "records_duplicate", "conflicting", "rejected", "duration", "size",
    ]  # fmt: skip
    list_select_related = ["customer", "source"]
    list_filter = ["status", StartedFilter, "ingestion_type", ("customer", FewRelatedFilter)]
    search_fields = ["=customer__customer_code", "source__name"]
    search_help_text = "A customer's code, or a part of a source's name."
    sortable_by = ["started"]
    fieldsets = [
        (None, {"fields": ["customer", "source_name", "ingestion_type", "outcome", "source_url"]}),
        ("When", {"fields": ["started_at", "ended_at", "duration", "since", "until"]}),
        (
            "Rows",
            {
                "fields": [
                    "records_processed", "records_stored", "records_duplicate", "conflicting", "rejected", "size",
                ],
                "description": "Every row is stored, a duplicate, conflicting or rejected.",
            },
        ),
        ("Notes", {"fields": ["notes_listed"], "description": "How the data was understood."}),
        ("Error", {"fields": ["error_reason", "error_message", "response_excerpt"]}),
        ("Record", {"fields": ["public_id"], "classes": ["collapse"]}),
    ]  # fmt: skip
    readonly_fields = ["source_name", "outcome", "duration", "conflicting", "rejected", "size", "notes_listed"]

    @admin.display(description="started at (UTC)", ordering="started_at")
    def started(self, delivery: Delivery) -> str:
        """Return the start time."""
        return instant_text(delivery.started_at)

    @admin.display(description="customer")
    def customer_code(self, delivery: Delivery) -> str:
        """Return the customer's code."""
        return delivery.customer.customer_code

    # A source's own text includes the customer, which has a column of its own.
    @admin.display(description="source", empty_value="–")
    def source_name(self, delivery: Delivery) -> str | None:
        """Return the source's name."""
        return delivery.source.name if delivery.source else None

    @admin.display(description="status")
    def outcome(self, delivery: Delivery) -> SafeString:
        """Return the status and error as a badge."""
        status = delivery.get_status_display()
        text = f"{status}: {delivery.error_label}" if delivery.error_reason else status
        return badge(text, TONES[delivery.status], delivery.error_message)

    @admin.display(description="conflicts")
    def conflicting(self, delivery: Delivery) -> SafeString | str:
        """Return the number of conflicts, linked to their list."""
        return _rows_of(delivery, Conflict, delivery.records_conflicting)

    @admin.display(description="rejected")
    def rejected(self, delivery: Delivery) -> SafeString | str:
        """Return the number of rejected rows, linked to their list."""
        return _rows_of(delivery, RejectedRow, delivery.records_rejected)

    @admin.display(description="notes", empty_value="–")
    def notes_listed(self, delivery: Delivery) -> str | None:
        """Return the notes, one a line."""
        return "\n".join(delivery.notes) or None

    @admin.display
    def duration(self, delivery: Delivery) -> str:
        """Return how long the delivery took."""
        return elapsed_text(delivery.duration_seconds)

    @admin.display
    def size(self, delivery: Delivery) -> str:
        """Return the size of the body."""
        return filesizeformat(delivery.size_bytes)


def _rows_of(delivery: Delivery, model: type[Conflict] | type[RejectedRow], count: int) -> SafeString | str:
    """Return the number of the delivery's rows in `model`, linked to their list."""
    return list_link(model, f"{count:,}", delivery__id__exact=delivery.pk, state="all") if count else "0"
