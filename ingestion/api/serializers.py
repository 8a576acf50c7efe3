"""Serializers of pushed readings, of the results of pushes, and of the ingestion log."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone
from rest_framework import serializers
from typing_extensions import override

from core.api.fields import KnownFieldsMixin, NumberField, Values, is_date, labelled_choices
from ingestion.loading.push_body import RULES, batch_of_row
from ingestion.loading.push_fields import FIELDS_BY_NAME
from ingestion.models import Delivery, IngestionType
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import ParsedBatch
from ingestion.parsing.values.row import CODE_LIMIT, STATUS_LIMIT, convert_row, read_status
from ingestion.parsing.values.rules import RowRejected
from readings.units.scales import Scale

# The field that a reason is about.
_FIELDS = {
    Reason.FUTURE_TIME: "recorded_at",
    Reason.TOO_OLD: "recorded_at",
    Reason.CLOCK_RESET: "recorded_at",
    Reason.UNREADABLE_TIME: "recorded_at",
    Reason.NOT_TEXT: "sensor_id",
    Reason.CODE_TOO_LONG: "sensor_id",
    Reason.BAD_QUALITY: "quality_score",
}


class InstantOfReadingField(serializers.DateTimeField):
    """The time of a reading. DRF takes a date without a time of day for midnight."""

    @override
    def to_internal_value(self, value: object) -> datetime:
        if isinstance(value, str) and is_date(value.strip()):
            self.fail("date")
        return super().to_internal_value(value)  # type: ignore[arg-type]  # DRF itself checks the type


class ReadingCreateSerializer(KnownFieldsMixin, serializers.Serializer[object]):
    """A pushed reading. A temperature of null means that the sensor gave no measurement."""

    storage_unit_id = serializers.UUIDField()
    temperature = NumberField(allow_null=True)
    temperature_unit = serializers.ChoiceField(labelled_choices(Scale), default="C")
    recorded_at = InstantOfReadingField(default_timezone=UTC)
    sensor_id = serializers.CharField(max_length=CODE_LIMIT, allow_blank=True, default="")
    quality_score = NumberField(min_value=0, max_value=1, default=1.0)
    equipment_status = serializers.CharField(max_length=STATUS_LIMIT, allow_blank=True, default="normal")

    def validate_equipment_status(self, status: str) -> str:
        """Apply the rules of every delivery here, since a reason alone does not tell this field from the sensor's."""
        try:
            return read_status(status)
        except RowRejected as rejection:
            raise serializers.ValidationError(str(rejection), code=rejection.reason.value) from rejection

    def validate(self, attrs: Values) -> Values:
        """Apply the rules of every delivery; add the reading as a batch, under `batch`."""
        raw_fields = {FIELDS_BY_NAME[name]: value for name, value in attrs.items()}
        raw_fields |= {"unit": str(attrs["storage_unit_id"]), "time": attrs["recorded_at"].isoformat()}
        try:
            batch: ParsedBatch = batch_of_row(convert_row(1, raw_fields, RULES), timezone.now())
        except RowRejected as rejection:
            raise _error(rejection.reason, str(rejection)) from rejection
        if batch.rejected:
            raise _error(batch.rejected[0].reason, batch.rejected[0].message)
        return attrs | {"batch": batch}


def _error(reason: Reason, message: str) -> serializers.ValidationError:
    return serializers.ValidationError({_FIELDS.get(reason, "temperature"): [message]}, code=reason.value)


class PushErrorSerializer(serializers.Serializer[object]):
    """A rejected row. `row` is its position in the JSON array, or its line."""

    row = serializers.IntegerField(source="row_number")
    code = serializers.ChoiceField(labelled_choices(Reason), source="reason")
    message = serializers.CharField()


class PushedSerializer(serializers.Serializer[object]):
    """The result of a bulk push. `errors` lists at most 1,000 rejected rows."""

    received = serializers.IntegerField()
    stored = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    conflicts = serializers.IntegerField()
    rejected = serializers.IntegerField()
    errors = PushErrorSerializer(many=True)  # type: ignore[assignment]  # a field of this name hides a property


class IngestionLogSerializer(serializers.Serializer[object]):
    """A poll, push or import, and its result."""

    id = serializers.UUIDField(source="public_id")
    customer_id = serializers.UUIDField(source="customer.public_id")
    customer_code = serializers.CharField(source="customer.customer_code")
    ingestion_type = serializers.ChoiceField(labelled_choices(IngestionType))
    status = serializers.ChoiceField(labelled_choices(Delivery.Status))
    records_processed = serializers.IntegerField()
    records_succeeded = serializers.IntegerField(source="records_stored")
    records_duplicate = serializers.IntegerField()
    records_failed = serializers.IntegerField(help_text="Rejected, or in conflict with stored readings.")
    start_time = serializers.DateTimeField(source="started_at")
    end_time = serializers.DateTimeField(source="ended_at")
    source_url = serializers.CharField(help_text="Without secrets; the file name of an import.")
    error_message = serializers.CharField()
    notes = serializers.ListField(
        child=serializers.CharField(),
        help_text="How the data was understood: what was assumed, passed over or looks suspicious.",
    )
    response_excerpt = serializers.CharField(
        help_text="The beginning of the response to a failed poll, without secrets; empty otherwise."
    )
