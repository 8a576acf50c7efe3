"""The shapes of the API's bodies and answers that tell of units, customers and what was measured."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from customers.api.serializers import FacilitySerializer, RecordSerializer
from customers.models import Customer, StorageUnit
from readings.units.scales import ABSOLUTE_ZERO_C, Scale, to_celsius

STATUSES = ("normal", "warning", "critical", "no_data")
validate_url = RegexValidator(r"^https?://[^\s/]+\S*$", "A URL begins with http:// or https:// and holds no blanks.")


class StorageUnitSerializer(RecordSerializer):
    """A storage unit with its newest reading."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    facility_id = serializers.UUIDField(source="facility.public_id", read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    current_temperature = serializers.FloatField(
        read_only=True, allow_null=True, help_text="Null: nothing was ever read, or the sensor gave no measurement."
    )
    current_temperature_unit = serializers.ChoiceField(list(Scale), read_only=True, allow_null=True)
    temperature_status = serializers.ChoiceField(
        STATUSES, read_only=True, help_text="By the limits in force; no_data: not known now."
    )
    last_reading_time = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = StorageUnit
        fields = [
            "id",
            "facility_id",
            "unit_code",
            "name",
            "size_value",
            "size_unit",
            "set_temperature",
            "temperature_unit",
            "equipment_type",
            "created_at",
            "current_temperature",
            "current_temperature_unit",
            "temperature_status",
            "last_reading_time",
        ]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        def given(name: str, default: Any) -> Any:
            return attrs.get(name, getattr(self.instance, name, default))

        temperature = given("set_temperature", None)
        if temperature is not None and to_celsius(temperature, given("temperature_unit", "C")) < ABSOLUTE_ZERO_C:
            raise serializers.ValidationError({"set_temperature": ["Nothing is colder than absolute zero."]})
        return attrs


class DetailedFacilitySerializer(FacilitySerializer):
    """A facility with its units and what they measure now."""

    units = StorageUnitSerializer(many=True, read_only=True)
    unit_count = serializers.IntegerField(read_only=True)
    average_temperature = serializers.FloatField(read_only=True, allow_null=True)
    min_temperature = serializers.FloatField(read_only=True, allow_null=True)
    max_temperature = serializers.FloatField(read_only=True, allow_null=True)
    temperature_unit = serializers.ChoiceField(list(Scale), read_only=True, help_text="Of the three above.")

    class Meta(FacilitySerializer.Meta):
        fields = [
            *FacilitySerializer.Meta.fields,
            "units",
            "unit_count",
            "average_temperature",
            "min_temperature",
            "max_temperature",
            "temperature_unit",
        ]


class CustomerSerializer(RecordSerializer):
    """A customer's profile, as the operator writes it."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    api_url = serializers.CharField(max_length=2000, required=False, allow_blank=True, validators=[validate_url])
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    facility_count = serializers.IntegerField(read_only=True)
    unit_count = serializers.IntegerField(read_only=True)
    active_readings_count = serializers.IntegerField(read_only=True, help_text="All readings that are stored.")
    last_reading_time = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Customer
        fields = [
            "id",
            "customer_code",
            "name",
            "data_sharing_method",
            "data_frequency_seconds",
            "api_url",
            "is_active",
            "created_at",
            "updated_at",
            "facility_count",
            "unit_count",
            "active_readings_count",
            "last_reading_time",
        ]


class ProfileSerializer(CustomerSerializer):
    """A customer's profile, as they write it themselves: their code and whether they are active is the operator's."""

    class Meta(CustomerSerializer.Meta):
        read_only_fields = ["customer_code", "is_active"]


class EntrySerializer(serializers.Serializer[Any]):
    """The value of a key of the configuration."""

    value = serializers.JSONField(help_text="A number of days, or the two deviations in kelvin.")
    description = serializers.CharField()
    updated_at = serializers.DateTimeField(allow_null=True, help_text="Null: it has its default.")


class ChangedEntrySerializer(serializers.Serializer[Any]):
    """What a key of the configuration is set to."""

    value = serializers.JSONField(required=False)
    description = serializers.CharField(required=False, allow_blank=True, max_length=1000)


class ConfigurationSerializer(serializers.Serializer[Any]):
    """The whole configuration."""

    data_retention_days = EntrySerializer()
    max_temperature_deviation = EntrySerializer()
