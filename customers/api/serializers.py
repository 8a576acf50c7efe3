"""Serializers of facilities and API tokens, and the base of serializers that save a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from django.core.exceptions import ValidationError as ModelError
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.utils.model_meta import FieldInfo
from typing_extensions import override

from core.api.fields import AnyField, KnownFieldsMixin, NumberField, Values, labelled_choices, reason_field
from core.api.model_errors import errors_by_field
from customers.models import ApiToken, Facility

M = TypeVar("M", bound=models.Model)
MAX_RATE_LIMIT = 2**31 - 1
MAX_UNITS = 1_000
LAST_EXPIRY = datetime(9000, 1, 1, tzinfo=UTC)


class RecordSerializer(KnownFieldsMixin, serializers.ModelSerializer[M]):
    """Run the model's own validation before saving, and update only the fields that were sent.

    So concurrent updates of different fields do not overwrite each other.
    """

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {models.FloatField: NumberField}

    reason = reason_field()

    @override
    def get_field_names(self, declared_fields: Mapping[str, AnyField], info: FieldInfo) -> list[str]:
        names = list(super().get_field_names(declared_fields, info))
        return names if "reason" in names else [*names, "reason"]

    @override
    def create(self, validated_data: Values) -> M:
        validated_data.pop("reason", None)
        model: type[M] = self.Meta.model
        return self._save(model(**validated_data))

    @override
    def update(self, instance: M, validated_data: Values) -> M:
        validated_data.pop("reason", None)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        if not validated_data:
            return instance
        automatic = {"updated_at"} & {field.name for field in instance._meta.fields}
        return self._save(instance, {*validated_data, *automatic})

    def _save(self, instance: M, update_fields: Iterable[str] | None = None) -> M:
        self.validate_record(instance)
        try:
            with transaction.atomic():
                instance.save(update_fields=update_fields)
        except IntegrityError as error:
            # A concurrent request passed the same validation and was saved first.
            raise serializers.ValidationError({"detail": "This code is already in use."}) from error
        return instance

    def validate_record(self, instance: M) -> None:
        """Run the model's own validation. Raise ValidationError by field of the API."""
        try:
            instance.full_clean(exclude=["public_id"])
        except ModelError as error:
            raise serializers.ValidationError(errors_by_field(error, self)) from error


class FacilitySerializer(RecordSerializer[Facility]):
    """A customer's site."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    customer_id = serializers.UUIDField(source="customer.public_id", read_only=True)
    created_at = serializers.DateTimeField(read_only=True)

    class Meta:
        model = Facility
        fields = [
            "id",
            "customer_id",
            "facility_code",
            "name",
            "city",
            "country",
            "latitude",
            "longitude",
            "time_zone",
            "created_at",
        ]


class ListedFacilitySerializer(FacilitySerializer):
    """A facility with its customer, for lists that span customers."""

    customer_code = serializers.CharField(source="customer.customer_code", read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    unit_count = serializers.IntegerField(read_only=True)

    class Meta(FacilitySerializer.Meta):
        fields = [*FacilitySerializer.Meta.fields, "customer_code", "customer_name", "unit_count"]


class TokenSerializer(KnownFieldsMixin, serializers.Serializer[ApiToken]):
    """An API token, without its text."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    token_name = serializers.CharField(max_length=200)
    permissions = serializers.ListField(
        child=serializers.ChoiceField(labelled_choices(ApiToken.Permission)),
        allow_empty=False,
        max_length=len(ApiToken.Permission),
    )
    rate_limit_per_hour = serializers.IntegerField(
        min_value=1,
        max_value=MAX_RATE_LIMIT,
        required=False,
        allow_null=True,
        help_text="Requests per hour; null for no limit.",
    )
    accessible_units = serializers.ListField(
        child=serializers.UUIDField(),
        source="unit_ids",
        required=False,
        max_length=MAX_UNITS,
        help_text="The only storage units it may access; all if empty.",
    )
    source_id = serializers.UUIDField(
        source="source_public_id",
        read_only=True,
        allow_null=True,
        help_text="The source that it may push to, and nothing else; null without this limit.",
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Null if it never expires.")
    last_used_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="With a precision of one minute."
    )
    created_at = serializers.DateTimeField(read_only=True)
    is_active = serializers.BooleanField(source="is_usable", read_only=True, help_text="Neither revoked nor expired.")

    def validate_expires_at(self, expires_at: datetime | None) -> datetime | None:
        """Reject times in the past, and beyond what the database can store."""
        if expires_at is not None and not timezone.now() < expires_at < LAST_EXPIRY:
            raise serializers.ValidationError("Must be in the future and before the year 9000.")
        return expires_at


class NewTokenSerializer(TokenSerializer):
    """A new API token with its text, which is returned only once."""

    token = serializers.CharField(read_only=True)
