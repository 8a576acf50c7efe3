"""Serializers of sources, their field mapping and credentials, and of the result of a trial."""

from __future__ import annotations

import dataclasses

from rest_framework import serializers
from typing_extensions import override

from core.api.fields import KnownFieldsMixin, Values, labelled_choices
from core.crypto.encryption import SecretUnreadable
from core.crypto.redaction import redact_url
from customers.access.principal import principal_of
from customers.api.serializers import RecordSerializer
from ingestion.api.serializers import PushErrorSerializer
from ingestion.loading.understood_rows import UnderstoodRow
from ingestion.models import IngestionType, Source
from ingestion.polling.trial import TrialResult
from ingestion.previews.results import KINDS, Outcome, Preview
from ingestion.selectors import SourceState
from ingestion.sources.credentials import Credentials, CredentialsKind
from ingestion.sources.mapping import FieldMapping
from ingestion.sources.request_settings import Method

SECRET_LENGTH = 4_000


class MappingSerializer(KnownFieldsMixin, serializers.ModelSerializer[Source]):
    """The field mapping: where each part of a reading is found. Common formats need none."""

    serializer_field_mapping = RecordSerializer.serializer_field_mapping

    class Meta:
        model = Source
        fields = [each.name for each in dataclasses.fields(FieldMapping)]


class HeaderListField(serializers.ListField):
    """Headers as a list of texts like “Name: value”, which are stored encrypted."""

    child = serializers.CharField(max_length=4_000, allow_blank=False)

    def to_internal_value(self, data: list[str]) -> str:  # type: ignore[override]  # stored as one text
        """Return the text to store: a header a line."""
        lines: list[str] = super().to_internal_value(data)
        if any("\n" in line or "\r" in line for line in lines):
            raise serializers.ValidationError("A header must not contain line breaks.")
        return "\n".join(lines)


class RequestSerializer(KnownFieldsMixin, serializers.ModelSerializer[Source]):
    """How the request is sent, besides its URL and credentials."""

    method = serializers.ChoiceField(labelled_choices(Method), source="request_method", required=False)
    body = serializers.CharField(
        source="request_body",
        allow_blank=True,
        required=False,
        max_length=20_000,
        trim_whitespace=False,
        help_text="Of a POST. May contain the URL's placeholders, and {secret} for credentials of the kind `body`.",
    )
    content_type = serializers.CharField(source="request_content_type", max_length=100, required=False)
    headers = HeaderListField(
        source="request_headers",
        write_only=True,
        required=False,
        max_length=20,
        help_text="Further headers as “Name: value”. They can be set but never read.",
    )
    are_headers_stored = serializers.BooleanField(source="request_headers", read_only=True)

    class Meta:
        model = Source
        fields = [
            "method",
            "body",
            "content_type",
            "headers",
            "are_headers_stored",
            "ca_certificates",
            "sends_conditional_requests",
        ]


class CredentialsSerializer(KnownFieldsMixin, serializers.Serializer[Source]):
    """How to authenticate to the source. The secret can be set but never read; the kind `none` deletes it."""

    kind = serializers.ChoiceField(labelled_choices(CredentialsKind), source="credentials_kind", default="none")
    name = serializers.CharField(
        source="credentials_name",
        max_length=200,
        allow_blank=True,
        required=False,
        help_text="Name of the user, header or query parameter, or the client's id.",
    )
    secret = serializers.CharField(
        source="credentials_secret",
        write_only=True,
        max_length=SECRET_LENGTH,
        allow_blank=True,
        trim_whitespace=False,
        required=False,
        help_text="The password, token, client's secret or value. Leave it out or empty to keep the stored one, unless"
        " the source is moved to another server.",
    )
    token_url = serializers.CharField(
        max_length=2_000, allow_blank=True, required=False, help_text="OAuth 2: where access tokens are issued."
    )
    token_scope = serializers.CharField(max_length=500, allow_blank=True, required=False, help_text="OAuth 2.")
    sends_client_in_body = serializers.BooleanField(
        required=False, help_text="OAuth 2: the client's id and secret are in the body, not basic authentication."
    )
    is_secret_stored = serializers.BooleanField(source="credentials_secret", read_only=True)


class SourceSerializer(RecordSerializer[Source]):
    """An origin of a customer's readings. With a URL it is polled; without one it accepts pushes and imports."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    customer_id = serializers.UUIDField(source="customer.public_id", read_only=True)
    customer_code = serializers.CharField(source="customer.customer_code", read_only=True)
    state = serializers.ChoiceField(labelled_choices(SourceState), read_only=True)
    credentials = CredentialsSerializer(source="*", required=False)
    request = RequestSerializer(source="*", required=False)
    mapping = MappingSerializer(source="*", required=False)

    class Meta:
        model = Source
        fields = [
            "id",
            "customer_id",
            "customer_code",
            "name",
            "ingestion_type",
            "state",
            "is_paused",
            "message_format",
            "url",
            "structure_url",
            "broker_url",
            "topic_filters",
            "host_key",
            "endpoint_url",
            "region",
            "credentials",
            "request",
            "interval_seconds",
            "overlap_seconds",
            "max_hours",
            "first_hours",
            "registers_units",
            "default_facility_code",
            "default_unit_code",
            "unit_codes",
            "facility_time_zone",
            "mapping",
            "next_due_at",
            "cursor_at",
            "last_polled_at",
            "last_success_at",
            "failures_in_a_row",
            "last_error",
            "created_at",
            "updated_at",
        ]
        read_only_fields = [
            "is_paused",
            "next_due_at",
            "cursor_at",
            "last_polled_at",
            "last_success_at",
            "failures_in_a_row",
            "last_error",
            "created_at",
            "updated_at",
        ]

    @override
    def to_representation(self, instance: Source) -> Values:
        return super().to_representation(instance) | {
            "url": redact_url(instance.url),
            "structure_url": redact_url(instance.structure_url),
        }

    @override
    def validate(self, attrs: Values) -> Values:
        if attrs.get("credentials_kind") == CredentialsKind.NONE:
            attrs |= {"credentials_name": "", "credentials_secret": ""}
        elif not attrs.get("credentials_secret", "missing"):
            del attrs["credentials_secret"]
        self._check_redacted(attrs)
        self._check_folder(attrs)
        self._check_credentials(attrs)
        return attrs

    def _check_redacted(self, attrs: Values) -> None:
        """Reject a URL as it was shown, whose secrets are lost."""
        for name in Source.HIDDEN_URLS:
            if "***" in attrs.get(name, ""):
                raise serializers.ValidationError(
                    {name: ["Contains “***” in place of a secret. Leave it out to keep it."]}
                )

    def _check_folder(self, attrs: Values) -> None:
        """Reject a folder of this machine that a customer chooses: the other customers' folders are beside theirs."""
        stored = self.instance or Source()
        before = (stored.ingestion_type, stored.url)
        chosen = (attrs.get("ingestion_type", stored.ingestion_type), attrs.get("url", stored.url))
        is_of_one_customer = principal_of(self.context["request"]).scope.customer_ids is not None
        if chosen[0] == IngestionType.FOLDER and chosen != before and is_of_one_customer:
            raise serializers.ValidationError({"url": ["Only the operator chooses folders of this machine."]})

    def _check_credentials(self, attrs: Values) -> None:
        stored = self.instance or Source()
        try:
            secret = (
                attrs["credentials_secret"] if "credentials_secret" in attrs else stored.credentials_secret.reveal()
            )
        except SecretUnreadable as unreadable:
            raise serializers.ValidationError({"credentials": [str(unreadable)]}) from unreadable
        kind = CredentialsKind(attrs.get("credentials_kind", stored.credentials_kind))
        name = attrs.get("credentials_name", stored.credentials_name)
        if problem := Credentials(kind, name, secret).validation_error():
            raise serializers.ValidationError({"credentials": [problem]})


class RejectedTrialRowSerializer(PushErrorSerializer):
    """A row that would be rejected, with its text as it was sent."""

    raw = serializers.CharField()


class UnderstoodRowSerializer(serializers.Serializer[UnderstoodRow]):
    """A row as it was understood."""

    position = serializers.ChoiceField(["first", "middle", "last"])
    row_number = serializers.IntegerField()
    raw = serializers.CharField(help_text="The row as it was sent, up to 300 characters.")
    facility_code = serializers.CharField()
    unit_code = serializers.CharField()
    sensor_code = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    facility_time = serializers.SerializerMethodField(help_text="The same time at the facility.")
    temperature_c = serializers.FloatField(allow_null=True)
    scale = serializers.CharField(help_text="The scale that was sent: C, F or K.")
    scale_reason = serializers.CharField(help_text="Why the temperature is on this scale.")

    def get_facility_time(self, row: UnderstoodRow) -> str:
        """Return the local time with its offset."""
        return row.local_time.isoformat()


class OutcomeSerializer(serializers.Serializer[Outcome]):
    """What would become of some of the rows, with one of them as an example."""

    kind = serializers.ChoiceField(KINDS)
    reason = serializers.CharField(help_text="Why the rows would be rejected.")
    count = serializers.IntegerField()
    row_number = serializers.IntegerField()
    example = serializers.CharField()
    message = serializers.CharField()
    settings = serializers.ListField(child=serializers.CharField(), help_text="What to change to fix it.")


class PreviewSerializer(serializers.Serializer[Preview]):
    """How a body is understood, and what would become of its rows."""

    rows = UnderstoodRowSerializer(many=True)
    ignored_columns = serializers.ListField(child=serializers.CharField())
    outcomes = OutcomeSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField())
    is_partial = serializers.BooleanField(help_text="Only the first 200,000 rows were counted.")
    error_settings = serializers.ListField(
        child=serializers.CharField(), help_text="What to change if the response could not be read."
    )


class TrialSerializer(serializers.Serializer[TrialResult]):
    """What a source's request brings; nothing of it is stored."""

    is_success = serializers.BooleanField(help_text="The response was read and no row would be rejected.")
    url = serializers.CharField(help_text="What was requested, without secrets.")
    reading_count = serializers.IntegerField(source="preview.reading_count")
    rejected_count = serializers.IntegerField(source="preview.rejected_count")
    rejected_rows = RejectedTrialRowSerializer(many=True, source="preview.rejected", help_text="The first 20 of them.")
    unit_codes = serializers.ListField(
        child=serializers.CharField(), source="preview.unit_codes", help_text="At most 100 of them."
    )
    newest_reading_at = serializers.DateTimeField(source="preview.newest_reading_at", allow_null=True)
    preview = PreviewSerializer()
    size_bytes = serializers.IntegerField()
    duration_seconds = serializers.FloatField()
    error_reason = serializers.CharField(source="preview.error_reason")
    error_message = serializers.CharField(source="preview.error_message")
    response_excerpt = serializers.CharField(help_text="The beginning of a response that failed, without secrets.")
