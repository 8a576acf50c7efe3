"""Serializers of alarms, excursions and limits."""

from __future__ import annotations

from rest_framework import serializers
from typing_extensions import override

from alarms.excursions.what_if import Replay
from alarms.lifecycle.actions import LONGEST_TEXT
from alarms.limits.choice_forms import DEPENDENT
from alarms.limits.profiles import VALUE_NAMES, detach_from_profile, limit_values
from alarms.limits.versions import backdating_error, latest_versions
from alarms.models import Alarm, AlarmEvent, AlarmSignature, Excursion, LimitProfile, LimitVersion, UnitLimits
from alarms.models.limits import SENSOR_POLICIES, LimitValues
from alarms.thresholds import SensorPolicy, Severity
from core.api.fields import KnownFieldsMixin, Values, labelled_choices
from customers.api.serializers import RecordSerializer
from customers.models import Sensor
from readings.api.fields import RequestedScaleField, TemperatureField, TemperatureListSerializer
from readings.units.scales import Scale


class AlarmSerializer(serializers.Serializer[Alarm]):
    """An alarm. The fields of its unit are null if a source is down; temperatures are in the unit's own scale."""

    id = serializers.UUIDField(source="public_id")
    kind = serializers.ChoiceField(labelled_choices(Alarm.Kind))
    severity = serializers.ChoiceField(labelled_choices(Severity))
    state = serializers.ChoiceField(labelled_choices(Alarm.State))
    customer_id = serializers.UUIDField(source="customer.public_id")
    facility_id = serializers.UUIDField(source="storage_unit.facility.public_id", allow_null=True)
    facility_name = serializers.CharField(allow_null=True)
    storage_unit_id = serializers.UUIDField(source="storage_unit.public_id", allow_null=True)
    unit_name = serializers.CharField(allow_null=True)
    sensor_id = serializers.CharField(
        source="sensor.sensor_code",
        allow_null=True,
        help_text="Code of the sensor that is faulty, or whose clock is wrong.",
    )
    source_name = serializers.CharField(help_text="The source that is down; empty for other kinds.")
    temperature = TemperatureField(source="temperature_c", allow_null=True, help_text="The peak so far.")
    temperature_unit = serializers.ChoiceField(
        labelled_choices(Scale), source="storage_unit.temperature_unit", allow_null=True
    )
    recorded_at = serializers.DateTimeField(allow_null=True, help_text="When the peak was measured.")
    equipment_status = serializers.CharField(
        allow_null=True, help_text="Status reported with that reading. Null once the month of that reading is archived."
    )
    started_at = serializers.DateTimeField(help_text="When the condition began.")
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Null while the condition is still active.")
    opened_at = serializers.DateTimeField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField()
    acknowledgement = serializers.CharField(help_text="Comment of the acknowledgement.")
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField(help_text="Empty if it closed automatically.")
    cause = serializers.CharField()
    corrective_action = serializers.CharField()
    is_detected_late = serializers.BooleanField(
        help_text="The condition had ended when it was detected; nobody was notified."
    )
    is_withdrawn = serializers.BooleanField(help_text="Later readings show that the condition never existed.")
    reopened_count = serializers.IntegerField()
    suppressed_by_id = serializers.UUIDField(
        source="suppressed_by.public_id", allow_null=True, help_text="The alarm that inhibits this one."
    )
    excursion_id = serializers.UUIDField(source="excursion.public_id", allow_null=True)
    is_drill = serializers.BooleanField(
        source="of_drill", help_text="The alarm is a drill on a virtual unit that holds no goods."
    )


class AlarmEventSerializer(serializers.Serializer[AlarmEvent]):
    """An event of an alarm."""

    kind = serializers.ChoiceField(labelled_choices(AlarmEvent.Kind))
    happened_at = serializers.DateTimeField()
    by = serializers.CharField(help_text="Empty for the system.")
    text = serializers.CharField()


class AlarmSignatureSerializer(serializers.Serializer[AlarmSignature]):
    """An electronic signature on an alarm as it was after an action."""

    meaning = serializers.ChoiceField(AlarmSignature.Meaning.choices)
    signer_user_name = serializers.CharField()
    signer_name = serializers.CharField(help_text="The full name at the time.")
    signed_at = serializers.DateTimeField()
    time_zone = serializers.CharField(help_text="IANA name of the facility's time zone.")
    method = serializers.ChoiceField(AlarmSignature.Method.choices, help_text="What the signer entered again.")
    event = serializers.ChoiceField(labelled_choices(AlarmEvent.Kind), source="event.kind")
    record = serializers.CharField(help_text="What was signed, as canonical JSON.")
    record_sha256 = serializers.CharField(help_text="SHA-256 of a zero byte and the record in UTF-8, hexadecimal.")


class DetailedAlarmSerializer(AlarmSerializer):
    """An alarm with its events and signatures in chronological order, and the alarms that it inhibits."""

    events = AlarmEventSerializer(many=True)
    signatures = AlarmSignatureSerializer(many=True)
    suppressed_alarms = AlarmSerializer(many=True, help_text="At most 100 inhibited alarms, newest first.")


class SignatureSerializer(KnownFieldsMixin, serializers.Serializer[AlarmSignature]):
    """An electronic signature: only people who are signed in can sign, not tokens, and with their password only."""

    meaning = serializers.ChoiceField(AlarmSignature.Meaning.choices)
    password = serializers.CharField(
        trim_whitespace=False, max_length=4_096, help_text="The password of the account that is signed in."
    )


class SignedActionSerializer(KnownFieldsMixin, serializers.Serializer[Alarm]):
    """The base of actions that may be signed."""

    signature = SignatureSerializer(
        required=False, write_only=True, help_text="Required if the customer requires signatures."
    )


class AcknowledgeSerializer(SignedActionSerializer):
    """The acknowledgement of an alarm."""

    comment = serializers.CharField(max_length=LONGEST_TEXT, help_text="What is being done about it.")


class CommentSerializer(KnownFieldsMixin, serializers.Serializer[Alarm]):
    """A comment on an alarm."""

    comment = serializers.CharField(source="text", max_length=LONGEST_TEXT)


class CloseSerializer(SignedActionSerializer):
    """The review that closes an alarm."""

    cause = serializers.CharField(max_length=LONGEST_TEXT)
    corrective_action = serializers.CharField(max_length=LONGEST_TEXT, help_text="Action against a recurrence.")


class ExcursionSerializer(serializers.Serializer[Excursion]):
    """A period outside the limits. Temperatures are in the unit's own scale."""

    id = serializers.UUIDField(source="public_id")
    kind = serializers.ChoiceField(labelled_choices(Excursion.Kind))
    severity = serializers.ChoiceField(labelled_choices(Severity))
    facility_id = serializers.UUIDField(source="storage_unit.facility.public_id")
    facility_name = serializers.CharField()
    storage_unit_id = serializers.UUIDField(source="storage_unit.public_id")
    unit_name = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Null while it is ongoing.")
    last_outside_at = serializers.DateTimeField(help_text="Latest reading outside the limits.")
    peak_temperature = TemperatureField(
        source="peak_c", help_text="Temperature furthest outside; for MKT excursions the highest MKT."
    )
    peak_at = serializers.DateTimeField()
    mkt = TemperatureField(source="mkt_c", allow_null=True, help_text="Mean kinetic temperature of the time with data.")
    temperature_unit = serializers.ChoiceField(labelled_choices(Scale), source="storage_unit.temperature_unit")
    area_kelvin_minutes = serializers.FloatField(help_text="Deviation from the limit, integrated over time.")
    outside_seconds = serializers.FloatField(help_text="Confirmed time outside, until now while it is ongoing.")
    gap_seconds = serializers.FloatField(help_text="Time without data, until now while it is ongoing.")
    alarm_at = serializers.DateTimeField(allow_null=True, help_text="The reading at which the alarm delay elapsed.")
    critical_alarm_at = serializers.DateTimeField(allow_null=True)
    is_detected_late = serializers.BooleanField()
    detected_at = serializers.DateTimeField()
    profile_name = serializers.CharField(
        source="limit_version.profile_name", help_text="Profile of the limits that applied."
    )


_IN_FORCE = [field.name for field in LimitValues._meta.local_fields]


class LimitProfileSerializer(RecordSerializer[LimitProfile]):
    """A named set of limits, which units share."""

    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = LimitProfile
        fields = ["id", "name", "description", "is_default", *VALUE_NAMES]


class LimitVersionSerializer(serializers.ModelSerializer[LimitVersion]):
    """Limits in force from `valid_from`."""

    class Meta:
        model = LimitVersion
        fields = [
            "valid_from",
            "profile_name",
            "changed_by",
            "is_provisional",
            "reason",
            *_IN_FORCE,
            "gap_limit_seconds",
            "interval_seconds",
            "sensor_policy",
        ]

    @override
    def get_attribute(self, instance: UnitLimits) -> LimitVersion | None:  # type: ignore[override]  # of the parent
        return latest_versions([instance.storage_unit_id]).get(instance.storage_unit_id)


class SensorCodeField(serializers.CharField):
    """A sensor, by its code."""

    @override
    def to_representation(self, value: Sensor) -> str:  # type: ignore[override]  # validate_sensor_id looks it up
        return value.sensor_code


class UnitLimitsSerializer(RecordSerializer[UnitLimits]):
    """The limits of a unit: those of a profile or, if `profile_id` is null, its own; and the resulting limits."""

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
    sensor_id = SensorCodeField(
        source="named_sensor",
        allow_null=True,
        allow_blank=True,
        required=False,
        help_text="Code of the reference sensor, if the policy is `named`.",
    )
    applies_from = serializers.DateTimeField(
        write_only=True, required=False, allow_null=True, help_text="Backdate the limits to this time."
    )
    reason = serializers.CharField(
        write_only=True, required=False, max_length=LONGEST_TEXT, help_text="Required to backdate limits: why."
    )
    in_force = LimitVersionSerializer(read_only=True)

    class Meta:
        model = UnitLimits
        fields = [
            "storage_unit_id",
            "profile_id",
            *VALUE_NAMES,
            "sensor_policy",
            "sensor_id",
            "applies_from",
            "reason",
            "in_force",
        ]

    @override
    def to_representation(self, instance: UnitLimits) -> Values:
        return super().to_representation(instance) | limit_values(instance)

    def validate_sensor_id(self, code: str | None) -> Sensor | None:
        """Return the unit's sensor with this code."""
        if code is None:
            return None
        limits: UnitLimits = self.instance  # type: ignore[assignment]  # limits are only ever updated
        sensor: Sensor | None = limits.storage_unit.sensors.filter(sensor_code=code).first()
        if sensor is None:
            raise serializers.ValidationError("The unit has no such sensor.")
        return sensor

    @override
    def validate(self, attrs: Values) -> Values:
        limits: UnitLimits = self.instance  # type: ignore[assignment]  # limits are only ever updated
        if error := backdating_error(attrs.get("applies_from"), attrs.get("reason", "")):
            raise serializers.ValidationError({error.field: [error.text]})
        profile = attrs.get("profile", limits.profile)
        own = sorted(attrs.keys() & set(VALUE_NAMES))
        if profile is not None and own:
            raise serializers.ValidationError(
                {own[0]: ["The unit has the limits of a profile. Set profile_id to null to give it its own."]}
            )
        stored = limit_values(limits)
        for window, limit in DEPENDENT.items():
            # One that is sent back as it was received changes nothing.
            is_changed = attrs.get(window, stored[window]) != stored[window]
            if is_changed and attrs.get(limit, stored[limit]) is None:
                raise serializers.ValidationError({window: [f"It only applies together with {limit}. Enter it, too."]})
        return attrs

    @override
    def update(self, instance: UnitLimits, validated_data: Values) -> UnitLimits:
        # Saved as a whole, since it may not exist yet. A signal updates the limits in force.
        return self._save(self._chosen(instance, validated_data))

    def choice(self) -> UnitLimits:
        """Return the choice that the valid data describes, without saving it. Raise ValidationError."""
        instance: UnitLimits = self.instance  # type: ignore[assignment]  # limits are only ever updated
        chosen = self._chosen(instance, self.validated_data)
        self.validate_record(chosen)
        return chosen

    def _chosen(self, instance: UnitLimits, validated_data: Values) -> UnitLimits:
        if "profile" in validated_data and validated_data["profile"] is None and instance.profile is not None:
            detach_from_profile(instance)
        if validated_data.get("sensor_policy", SensorPolicy.NAMED) != SensorPolicy.NAMED:
            # The reference sensor belongs to the policy that is replaced.
            validated_data = {"named_sensor": None} | validated_data
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return instance


class PreviewedExcursionSerializer(serializers.Serializer[object]):
    """An excursion by the limits in force or by the backdated ones."""

    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Null while it is ongoing.")
    severity = serializers.ChoiceField(
        labelled_choices(Severity), help_text="Critical if it lasted beyond a critical limit for its delay."
    )
    peak_temperature = TemperatureField(source="peak_c")

    class Meta:
        list_serializer_class = TemperatureListSerializer


class LimitPreviewSerializer(serializers.Serializer[Replay]):
    """What backdated limits would change. Temperatures are in the unit's own scale."""

    since = serializers.DateTimeField(help_text="When they would apply, or 90 days ago if that is later.")
    until = serializers.DateTimeField()
    temperature_unit = RequestedScaleField(help_text="Scale of the temperatures.")
    added = PreviewedExcursionSerializer(many=True)
    removed = PreviewedExcursionSerializer(many=True)
    kept_before = PreviewedExcursionSerializer(many=True, help_text="Excursions that remain, as they are now.")
    kept_after = PreviewedExcursionSerializer(many=True, help_text="The same in the same order, as they would be.")
