"""Sources: their settings and state."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from core.crypto.redaction import redact_url
from core.web.admin import FewRelatedFilter, Tone, VersionedAdmin, badge, count_of, list_link
from customers.access.actions import Permission
from customers.access.tokens import create_token
from ingestion.models import Delivery, RejectedRow, Source
from ingestion.polling import claims
from ingestion.selectors import SourceState, with_state
from ingestion.source_form import SourceSecretsForm
from ingestion.sources.credentials import CredentialsKind
from ingestion.sources.mapping import FieldMapping
from readings.units.formatting import age_text, duration_text

TONES: dict[str, Tone] = {
    SourceState.PAUSED: "neutral",
    SourceState.INACTIVE: "neutral",
    SourceState.RECEIVING: "neutral",
    SourceState.FAILING: "bad",
    SourceState.LATE: "warning",
    SourceState.POLLING: "good",
    SourceState.ON_TIME: "good",
}
STATE_FIELDS = [
    "public_id",
    "next_due_at",
    "lease_until",
    "cursor_at",
    "last_polled_at",
    "last_success_at",
    "failures_in_a_row",
    "last_error",
    "structure_read_at",
    "looked_back_at",
    "created_at",
    "updated_at",
]


class SourceForm(SourceSecretsForm):
    """A source that keeps its customer and has no settings that do not apply to it."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.had_secret = bool(self.instance.credentials_secret)
        if self.instance.pk and "customer" in self.fields:
            # What it has delivered, its rejected rows and conflicts included, belongs to this customer.
            self.fields["customer"].disabled = True

    @property
    @override
    def changed_data(self) -> list[str]:
        changed = [name for name in super().changed_data if name != "clear_headers"]
        if self.data.get("clear_headers") and "request_headers" not in changed:
            changed.append("request_headers")
        is_removed = self.data.get("credentials_kind") == CredentialsKind.NONE and self.had_secret
        if is_removed and "credentials_secret" not in changed:
            changed.append("credentials_secret")
        return changed

    def clean(self) -> dict[str, object]:
        """Also reject what would be stored without being used."""
        cleaned = super().clean()
        self._reject_ignored(cleaned)
        return cleaned

    def _reject_ignored(self, cleaned: Mapping[str, object]) -> None:
        if not cleaned.get("url") and cleaned.get("structure_url"):
            self.add_error("structure_url", "It is only read by sources with a URL, which are polled.")
        if cleaned.get("unit_codes") and "{unit}" not in str(cleaned.get("url", "")):
            self.add_error("unit_codes", "They only apply to a URL that contains {unit}.")
        if cleaned.get("credentials_kind") == CredentialsKind.NONE:
            for name in ("credentials_name", "credentials_secret"):
                if cleaned.get(name):
                    self.add_error(name, "Select the kind of the credentials, or leave it empty.")


class StateFilter(admin.SimpleListFilter):
    """Filters sources by their state."""

    title = "state"
    parameter_name = "state"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(SourceState.choices)

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


@admin.register(Source)
class SourceAdmin(VersionedAdmin[Source]):
    """Edits sources and shows their state."""

    form = SourceForm
    list_display = [
        "name", "state", "last_success", "customer_code", "ingestion_type", "interval", "failures_in_a_row",
        "rejected", "arrived",
    ]  # fmt: skip
    list_select_related = ["customer"]
    list_filter = [StateFilter, "ingestion_type", ("customer", FewRelatedFilter)]
    search_fields = ["name", "customer__customer_code", "customer__name", "url"]
    autocomplete_fields = ["customer"]
    readonly_fields = ["secret_is_set", "headers_are_set", *STATE_FIELDS]
    actions = ["poll_now", "pause", "resume", "create_push_token"]
    fieldsets = [
        (
            "Source",
            {
                "fields": [
                    "customer", "name", "ingestion_type", "is_paused", "message_format", "url", "structure_url",
                    "broker_url", "topic_filters", "host_key", "endpoint_url", "region",
                ],
                "description": "A source with a URL is polled; one without a URL accepts pushes and imports.",
            },
        ),
        (
            "Credentials",
            {
                "fields": [
                    "credentials_kind", "credentials_name", "credentials_secret", "secret_is_set", "token_url",
                    "token_scope", "sends_client_in_body",
                ],
                "description": "The secret is stored encrypted and never shown. Leave it empty to keep the stored one."
                " Enter it again to move the source to another server; the kind “none” removes it.",
            },
        ),
        (
            "Request",
            {
                "fields": [
                    "request_method", "request_body", "request_content_type", "request_headers", "clear_headers",
                    "headers_are_set", "ca_certificates", "sends_conditional_requests",
                ],
                "description": "Only for systems that need more than a URL and credentials.",
                "classes": ["collapse"],
            },
        ),
        (
            "Schedule",
            {
                "fields": ["interval_seconds", "overlap_seconds", "max_hours", "first_hours"],
                "description": "Each poll requests data from the cursor minus the overlap; "
                "after an outage, in periods no longer than the source returns per request.",
            },
        ),
        (
            "Registration",
            {
                "fields": [
                    "registers_units", "default_facility_code", "default_unit_code", "unit_codes", "facility_time_zone",
                ],
                "description": "How new facilities, units and sensors are handled.",
            },
        ),
        (
            "Mapping",
            {
                "fields": [field.name for field in dataclasses.fields(FieldMapping)],
                "description": "Where each part of a reading is found. Common formats need no mapping.",
                "classes": ["collapse"],
            },
        ),
        ("State", {"fields": list(STATE_FIELDS), "description": "Updated by polls."}),
    ]  # fmt: skip

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        waiting = count_of(RejectedRow, "source", Q(state=RejectedRow.State.WAITING))
        return with_state(super().get_queryset(request), timezone.now()).annotate(rejected_waiting=waiting)

    @override
    def get_fieldsets(self, request: HttpRequest, obj: Source | None = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else self.fieldsets[:-1]

    def has_delete_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        """Return False, because deliveries and rejected rows refer to the source. Pause it instead."""
        return False

    def save_model(self, request: HttpRequest, obj: Source, form: forms.ModelForm[Source], change: bool) -> None:
        """Save only the changed fields, because a poll may be moving the cursor at the same time."""
        if change:
            changed = set(form.changed_data) - {"is_paused"}
            obj.save(update_fields=[*changed, "updated_at"])
            claims.apply_changes(obj, changed)
            if "is_paused" in form.changed_data:
                (claims.pause if obj.is_paused else claims.resume)(Source.objects.filter(pk=obj.pk))
        else:
            obj.save()

    @admin.display(description="customer", ordering="customer__customer_code")
    def customer_code(self, source: Source) -> str:
        """Return the customer's code."""
        return source.customer.customer_code

    @admin.display(ordering="state")
    def state(self, source: Any) -> SafeString:
        """Return the state as a badge."""
        return badge(SourceState(source.state).label, TONES[source.state], source.last_error or redact_url(source.url))

    @admin.display(description="last success", ordering="last_success_at")
    def last_success(self, source: Source) -> str:
        """Return the age of the last success."""
        return age_text(timezone.now() - source.last_success_at if source.last_success_at else None)

    @admin.display(ordering="interval_seconds")
    def interval(self, source: Source) -> str:
        """Return how often the source is polled."""
        return duration_text(timedelta(seconds=source.interval_seconds)) if source.is_polled else ""

    @admin.display(description="rejected rows", ordering="rejected_waiting")
    def rejected(self, source: Any) -> SafeString | str:
        """Return the number of waiting rejected rows, linked to their list."""
        if not source.rejected_waiting:
            return "0"
        return list_link(RejectedRow, badge(f"{source.rejected_waiting:,}", "warning"), source__id__exact=source.pk)

    @admin.display(description="")
    def arrived(self, source: Source) -> SafeString:
        """Return a link to the source's deliveries."""
        return list_link(Delivery, "deliveries", source__id__exact=source.pk)

    @admin.display(description="secret stored", boolean=True)
    def secret_is_set(self, source: Source) -> bool:
        """Return whether a secret is stored."""
        return bool(source.credentials_secret)

    @admin.display(description="headers stored", boolean=True)
    def headers_are_set(self, source: Source) -> bool:
        """Return whether further headers are stored."""
        return bool(source.request_headers)

    @admin.action(description="Poll now", permissions=["change"])
    def poll_now(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        """Make the selected sources due at once."""
        self.message_user(request, f"Sources due for polling: {claims.poll_now(sources)}.")

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        """Pause the selected sources."""
        self.message_user(request, f"Sources paused: {claims.pause(sources)}.")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        """Resume the selected sources."""
        self.message_user(request, f"Sources resumed: {claims.resume(sources)}.")

    def has_add_token_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may create tokens."""
        return request.user.has_perm("customers.add_apitoken")

    @admin.action(description="Create a token for pushes", permissions=["add_token"])
    def create_push_token(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        """Create a token that may only push to the selected source, and show it once."""
        if len(selected := list(sources.select_related("customer")[:2])) != 1 or selected[0].is_polled:
            self.message_user(request, "Select one source that accepts pushes.", messages.ERROR)
            return
        (source,) = selected
        _, text = create_token(
            source.customer,
            f"pushes to {source.name}"[:200],
            [Permission.WRITE],
            source_public_id=source.public_id,
            created_by=request.user if request.user.is_authenticated else None,
        )
        told = "Copy the token now; it is shown only once: <code>{}</code> Send to /api/v1/ingest/{}"
        self.message_user(request, format_html(told, text, source.public_id), messages.WARNING)
