"""A compressor fails at night: when the phone rings, minute by minute, as `docs/alarms.md` shows."""

from __future__ import annotations

import pytest

from alarms.models import Alarm, Message
from alarms.tests.evaluation import at, load
from readings.storage.reading_batch import ReadingRow
from tests.alarm_factories import ChannelFactory, RuleFactory
from tests.factories import SensorFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

PHONE, SHIFT = "phone@example.com", "shift@example.com"


def test_a_critical_alarm_opens_five_minutes_after_the_critical_limit_is_crossed() -> None:
    # 5 °C ± 2 K and ± 5 K, which are crossed 9 and 21 minutes after the compressor failed.
    unit = StorageUnitFactory(interval_seconds=60, set_temperature=5.0)
    customer, sensor = unit.facility.customer, SensorFactory(storage_unit=unit)
    RuleFactory(customer=customer, severities=["critical"], channels=[ChannelFactory(customer=customer, address=PHONE)])
    RuleFactory(customer=customer, channels=[ChannelFactory(customer=customer, address=SHIFT)])

    timeline: list[tuple[int, str, str, list[str]]] = []
    for minute in range(60):
        load([ReadingRow(unit.pk, sensor.pk, at(minute), 4.9 + 0.25 * minute)], at(minute))
        for alarm in Alarm.objects.all():
            channels = Message.objects.order_by("channel__address").values_list("channel__address", flat=True)
            entry = (minute, alarm.state, alarm.severity, list(channels))
            if not timeline or timeline[-1][1:] != entry[1:]:
                timeline.append(entry)

    assert timeline == [(9, "pending", "warning", []), (26, "open", "critical", [PHONE, SHIFT])]
