"""The shapes of the REST API's bodies and answers about alarms and excursions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from alarms.lifecycle.actions import LONGEST_TEXT
from alarms.limits.profiles import VALUE_NAMES, leave_profile
from alarms.models import Alarm, AlarmEvent, Excursion, LimitProfile, LimitVersion, UnitLimits
from alarms.models.limits import SENSOR_POLICIES, LimitValues
from alarms.selectors import SEVERITIES
from customers.api.serializers import RecordSerializer
from readings.units.scales import Scale


class AlarmSerializer(serializers.Serializer[Any]):
    """An alarm. What is of a unit is null where a source is down; temperatures are on the unit's own scale."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Alarm.Kind.choices)
    severity = serializers.ChoiceField(SEVERITIES)
    state = serializers.ChoiceField(Alarm.State.choices)
    customer_id = serializers.UUIDField()
    facility_id = serializers.UUIDField(allow_null=True)
    facility_name = serializers.CharField(allow_null=True)
    storage_unit_id = serializers.UUIDField(allow_null=True)
    unit_name = serializers.CharField(allow_null=True)
    sensor_id = serializers.CharField(allow_null=True, help_text="Of a sensor fault.")
    source_name = serializers.CharField(help_text="The source that is down.")
    temperature = serializers.FloatField(allow_null=True, help_text="The worst so far.")
    temperature_unit = serializers.ChoiceField(list(Scale), allow_null=True)
    recorded_at = serializers.DateTimeField(allow_null=True, help_text="When that was measured.")
    equipment_status = serializers.CharField(allow_null=True, help_text="What was sent with that reading.")
    started_at = serializers.DateTimeField(help_text="When its cause began.")
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Null: the cause lasts.")
    opened_at = serializers.DateTimeField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField()
    acknowledgement = serializers.CharField(help_text="The comment of who acknowledged it.")
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField(help_text="Empty: it closed itself.")
    cause = serializers.CharField()
    corrective_action = serializers.CharField()
    is_detected_late = serializers.BooleanField(help_text="Its cause was over when it was found; nobody was told.")
    is_withdrawn = serializers.BooleanField(help_text="Later readings show that there was no such cause.")
    reopened_count = serializers.IntegerField()
    suppressed_by_id = serializers.UUIDField(allow_null=True, help_text="The alarm that explains it.")
    excursion_id = serializers.UUIDField(allow_null=True)


class AlarmEventSerializer(serializers.Serializer[Any]):
    """One thing that happened to an alarm."""

    kind = serializers.ChoiceField(AlarmEvent.Kind.choices)
    happened_at = serializers.DateTimeField()
    by = serializers.CharField(help_text="Empty: the system.")
    text = serializers.CharField()


class DetailedAlarmSerializer(AlarmSerializer):
    """An alarm with all that happened to it, in order of time, and the alarms that it explains."""

    events = AlarmEventSerializer(many=True)
    suppressed_alarms = AlarmSerializer(many=True, help_text="The first hundred, the newest first.")


class AcknowledgeSerializer(serializers.Serializer[Any]):
    """What who takes an alarm over does about it; also a comment on its own."""

    comment = serializers.CharField(max_length=LONGEST_TEXT)


class CloseSerializer(serializers.Serializer[Any]):
    """What it was, and what was done so that it does not come again."""

    cause = serializers.CharField(max_length=LONGEST_TEXT)
    corrective_action = serializers.CharField(max_length=LONGEST_TEXT)


class ExcursionSerializer(serializers.Serializer[Any]):
    """A stretch of time outside the limits; temperatures are on the unit's own scale."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Excursion.Kind.choices)
    severity = serializers.ChoiceField(SEVERITIES)
    facility_id = serializers.UUIDField()
    facility_name = serializers.CharField()
    storage_unit_id = serializers.UUIDField()
    unit_name = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Null: it lasts.")
    last_outside_at = serializers.DateTimeField(help_text="The newest reading outside.")
    peak_temperature = serializers.FloatField(help_text="The furthest beyond; of MKT excursions the highest MKT.")
    peak_at = serializers.DateTimeField()
    mkt = serializers.FloatField(allow_null=True, help_text="Mean kinetic temperature of its known time.")
    temperature_unit = serializers.ChoiceField(list(Scale))
    area_kelvin_minutes = serializers.FloatField(help_text="Beyond the limit × time.")
    outside_seconds = serializers.FloatField(help_text="Known to be outside.")
    gap_seconds = serializers.FloatField(help_text="Nothing is known.")
    alarm_at = serializers.DateTimeField(allow_null=True, help_text="The reading that completed the delay.")
    critical_alarm_at = serializers.DateTimeField(allow_null=True)
    is_detected_late = serializers.BooleanField()
    detected_at = serializers.DateTimeField()
    profile_name = serializers.CharField(help_text="Where the limits it was judged by came from.")


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
