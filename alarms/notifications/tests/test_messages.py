"""The text of messages: whoever is woken up by one knows what is at risk, since when and by which limits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alarms.models import Alarm, Message
from alarms.notifications.messages import alarm_content
from customers.models import StorageUnit
from tests.alarm_factories import AlarmFactory, NoDataAlarmFactory
from tests.factories import StorageUnitFactory

pytestmark = pytest.mark.django_db

# 02:30 for the first time on the day when summer time ends in Berlin.
STARTED_AT = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def lines_of(alarm: Alarm) -> list[str]:
    return alarm_content(alarm, Message.Reason.OPENED, STARTED_AT).body.splitlines()


def unit_in(time_zone: str, scale: str = "C") -> StorageUnit:
    unit: StorageUnit = StorageUnitFactory(
        name="Fridge", facility__name="Pharmacy", facility__time_zone=time_zone, temperature_unit=scale
    )
    return unit


def test_a_message_has_local_times_with_their_offset() -> None:
    alarm = AlarmFactory(storage_unit=unit_in("Europe/Berlin"), started_at=STARTED_AT)

    assert "Started: 2026-10-25 02:30 CEST, Europe/Berlin" in lines_of(alarm)
    assert "Peak: 12.0\N{NO-BREAK SPACE}°C at 2026-10-25 02:30 CET, Europe/Berlin" in lines_of(alarm)


@pytest.mark.parametrize(("time_zone", "written"), [("UTC", "00:30 UTC"), ("Asia/Dubai", "04:30 +04, Asia/Dubai")])
def test_offsets_without_an_abbreviation_and_utc(time_zone: str, written: str) -> None:
    assert f"Started: 2026-10-25 {written}" in lines_of(
        AlarmFactory(storage_unit=unit_in(time_zone), started_at=STARTED_AT)
    )


@pytest.mark.parametrize(
    ("scale", "limits"),
    [
        ("C", "3.0 to 7.0\N{NO-BREAK SPACE}°C, critical beyond 0.0 to 10.0\N{NO-BREAK SPACE}°C"),
        ("F", "37.4 to 44.6\N{NO-BREAK SPACE}°F, critical beyond 32.0 to 50.0\N{NO-BREAK SPACE}°F"),
    ],
)
def test_a_message_names_the_limits_on_the_scale_of_the_unit(scale: str, limits: str) -> None:
    unit = unit_in("UTC", scale)
    unit.set_temperature = 5.0 if scale == "C" else 41.0
    unit.save()

    assert f"Limits: {limits}" in lines_of(AlarmFactory(storage_unit=unit))


def test_limits_are_left_out_where_they_do_not_matter() -> None:
    assert not [line for line in lines_of(NoDataAlarmFactory()) if line.startswith("Limits")]
