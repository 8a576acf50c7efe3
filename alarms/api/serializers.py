"""The shapes of the REST API's bodies and answers about alarms and excursions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from alarms.lifecycle.actions import LONGEST_TEXT
from alarms.models import Alarm, AlarmEvent, Excursion
from alarms.selectors import SEVERITIES
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
