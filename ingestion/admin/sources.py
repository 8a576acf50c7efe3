"""Sources: what each is doing, and everything that can be set about it."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from core.crypto.encryption import SecretUnreadable
from core.web.admin import FewRelatedFilter, Tone, badge, count_of, list_link
from ingestion.models import Delivery, RejectedRow, Source
from ingestion.polling import claims
from ingestion.selectors import SourceState, with_state
from ingestion.sources.credentials import Credentials, CredentialsKind, redact_url
from ingestion.sources.mapping import FieldMapping
from readings.units.formatting import age_text

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
    "created_at",
    "updated_at",
]


class SourceForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        """Refuse credentials that no request can be made with."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            secret = cleaned.get("credentials_secret") or self.instance.credentials_secret.reveal()
        except SecretUnreadable as unreadable:
            self.add_error("credentials_secret", str(unreadable))
            return cleaned
        kind = CredentialsKind(cleaned.get("credentials_kind") or CredentialsKind.NONE)
        validation_error = Credentials(kind, cleaned.get("credentials_name", ""), secret).validation_error()
        if validation_error:
            self.add_error("credentials_kind", validation_error)
        return cleaned


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(SourceState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin):
    form = SourceForm
    list_display = [
        "name", "state", "last_success", "customer_code", "ingestion_type", "interval", "failures_in_a_row",
        "rejected", "arrived",
    ]  # fmt: skip
    list_select_related = ["customer"]
    list_filter = [StateFilter, "ingestion_type", ("customer", FewRelatedFilter)]
    search_fields = ["name", "customer__customer_code", "customer__name", "url"]
    autocomplete_fields = ["customer"]
    readonly_fields = ["secret_is_set", *STATE_FIELDS]
    actions = ["poll_now", "pause", "resume"]
    fieldsets = [
        (
            "What and where",
            {
                "fields": ["customer", "name", "ingestion_type", "is_paused", "url", "structure_url"],
                "description": "A source with a URL is polled; one without waits for pushes and imports.",
            },
        ),
        (
            "Credentials",
            {
                "fields": ["credentials_kind", "credentials_name", "credentials_secret", "secret_is_set"],
                "description": "The secret is stored encrypted and never shown; an empty input keeps what is stored.",
            },
        ),
        (
            "Schedule",
            {
                "fields": ["interval_seconds", "overlap_seconds", "max_hours", "first_hours"],
                "description": "A poll asks from the newest stored instant minus the overlap; "
                "after an outage, in pieces no longer than the source gives at once.",
            },
        ),
        (
            "Registration",
            {
                "fields": [
                    "registers_units", "default_facility_code", "default_unit_code", "unit_codes", "facility_time_zone",
                ],
                "description": "What becomes of facilities, units and sensors that are met for the first time.",
            },
        ),
        (
            "Mapping",
            {
                "fields": [field.name for field in dataclasses.fields(FieldMapping)],
                "description": "Where each part of a reading is found. The usual shapes need nothing here.",
                "classes": ["collapse"],
            },
        ),
        ("State", {"fields": list(STATE_FIELDS), "description": "Kept by the polls themselves."}),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        waiting = count_of(RejectedRow, "source", Q(state=RejectedRow.State.WAITING))
        return with_state(super().get_queryset(request), timezone.now()).annotate(rejected_waiting=waiting)

    def get_fieldsets(self, request: HttpRequest, obj: Source | None = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:-1]

    def has_delete_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        """Never: deliveries and rejected rows would lose where they came from. A source is paused instead."""
        return False

    def save_model(self, request: HttpRequest, obj: Source, form: forms.ModelForm, change: bool) -> None:
        """Write what was changed and no more: a poll may be moving the cursor at this moment."""
        if change:
            obj.save(update_fields=[*form.changed_data, "updated_at"])
        else:
            obj.save()

    @admin.display(description="customer", ordering="customer__customer_code")
    def customer_code(self, source: Source) -> str:
        return source.customer.customer_code

    @admin.display(ordering="state")
    def state(self, source: Any) -> SafeString:
        return badge(SourceState(source.state).label, TONES[source.state], source.last_error or redact_url(source.url))

    @admin.display(description="last success", ordering="last_success_at")
    def last_success(self, source: Source) -> str:
        return age_text(timezone.now() - source.last_success_at if source.last_success_at else None)

    @admin.display(ordering="interval_seconds")
    def interval(self, source: Source) -> str:
        return f"{source.interval_seconds:,} s" if source.is_polled else ""

    @admin.display(description="rejected, waiting", ordering="rejected_waiting")
    def rejected(self, source: Any) -> SafeString | str:
        if not source.rejected_waiting:
            return "0"
        return list_link(RejectedRow, badge(f"{source.rejected_waiting:,}", "warning"), source__id__exact=source.pk)

    @admin.display(description="")
    def arrived(self, source: Source) -> SafeString:
        return list_link(Delivery, "deliveries", source__id__exact=source.pk)

    @admin.display(description="secret stored", boolean=True)
    def secret_is_set(self, source: Source) -> bool:
        return bool(source.credentials_secret)

    @admin.action(description="Poll now", permissions=["change"])
    def poll_now(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        self.message_user(request, f"Sources that will be polled within seconds: {claims.poll_now(sources)}.")

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        self.message_user(request, f"Sources paused: {claims.pause(sources)}.")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        self.message_user(request, f"Sources resumed: {claims.resume(sources)}.")
