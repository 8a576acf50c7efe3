"""The shapes of the REST API's bodies and answers about limits, which are in °C and kelvin, as their names say."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from alarms.limits.limit_choices import VALUE_NAMES, leave_profile
from alarms.models import LimitProfile, LimitVersion, UnitLimits
from alarms.models.limits import SENSOR_POLICIES, LimitValues
from customers.api.serializers import RecordSerializer

_IN_FORCE = [field.name for field in LimitValues._meta.local_fields]


class LimitProfileSerializer(RecordSerializer):
    """Limits with a name, which units share."""

    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = LimitProfile
        fields = ["id", "name", "description", "is_default", *VALUE_NAMES]


class LimitVersionSerializer(serializers.ModelSerializer[LimitVersion]):
    """Limits in force since `valid_from`."""

    class Meta:
        model = LimitVersion
        fields = [
            "valid_from",
            "profile_name",
            "changed_by",
            *_IN_FORCE,
            "gap_limit_seconds",
            "interval_seconds",
            "sensor_policy",
        ]


class UnitLimitsSerializer(RecordSerializer):
    """What limits a unit has: a profile's, or (`profile_id` null) its own; and what that comes to now."""

    storage_unit_id = serializers.UUIDField(source="storage_unit.public_id", read_only=True)
    profile_id = serializers.SlugRelatedField(
        slug_field="public_id",
        queryset=LimitProfile.objects.all(),
        source="profile",
        allow_null=True,
        required=False,
        help_text="Null: the limits below are the unit's own.",
    )
    sensor_policy = serializers.ChoiceField(SENSOR_POLICIES, required=False)
    sensor_id = serializers.CharField(
        source="named_sensor",
        allow_null=True,
        allow_blank=True,
        required=False,
        help_text="The sensor that speaks for the unit where the policy is named.",
    )
    in_force = LimitVersionSerializer(read_only=True)

    class Meta:
        model = UnitLimits
        fields = ["storage_unit_id", "profile_id", *VALUE_NAMES, "sensor_policy", "sensor_id", "in_force"]

    def validate_sensor_id(self, code: str | None) -> Any:
        """The sensor of this code; null for none."""
        if code is None:
            return None
        choice: Any = self.instance
        sensor = choice.storage_unit.sensors.filter(sensor_code=code).first()
        if sensor is None:
            raise serializers.ValidationError("This unit has no such sensor.")
        return sensor

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Limits of its own are for a unit without a profile."""
        choice: Any = self.instance
        profile = attrs.get("profile", choice.profile)
        own = sorted(attrs.keys() & set(VALUE_NAMES))
        if profile is not None and own:
            raise serializers.ValidationError(
                {own[0]: ["The unit has the limits of a profile. Send profile_id null to give it its own."]}
            )
        return attrs

    def update(self, instance: UnitLimits, validated_data: dict[str, Any]) -> UnitLimits:
        """Save the choice as a whole: it may not have been there. The versions follow by themselves."""
        if "profile" in validated_data and validated_data["profile"] is None and instance.profile is not None:
            leave_profile(instance)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        saved: UnitLimits = self._save(instance)
        return saved
