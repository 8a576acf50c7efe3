"""A person decides which of two contradicting readings is right, and all derived values follow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ingestion.loading import conflicts
from ingestion.models import Conflict
from ingestion.parsing.tests.parsed_batches import NOON
from readings.models import DailyRollup, HourlyRollup, LatestReading, Reading
from tests.factories import ConflictFactory, SensorFactory, store_readings

pytestmark = [pytest.mark.django_db, pytest.mark.storing]


@pytest.fixture
def conflict() -> Conflict:
    sensor = SensorFactory()
    store_readings(sensor.storage_unit, [4.0, 5.0], start=NOON, sensor=sensor)
    return ConflictFactory(
        sensor=sensor, recorded_at=NOON + timedelta(minutes=15), temperature_c=9.0, stored_temperature_c=5.0
    )


def test_an_accepted_conflict_replaces_the_stored_reading_everywhere(conflict: Conflict) -> None:
    assert conflicts.accept(Conflict.objects.all(), by="Anna") == 1

    assert Reading.objects.get(recorded_at=conflict.recorded_at).temperature_c == 9.0
    assert HourlyRollup.objects.get(hour=NOON).max_c == 9.0
    assert HourlyRollup.objects.get(hour=NOON).sum_ninth_micro_c == 9 * 13_000_000
    assert DailyRollup.objects.get(local_date=NOON.date()).max_c == 9.0
    assert LatestReading.objects.get().temperature_c == 9.0


def test_the_replaced_temperature_remains_available(conflict: Conflict) -> None:
    conflicts.accept(Conflict.objects.all(), by="Anna")
    conflict.refresh_from_db()
    assert (conflict.state, conflict.stored_temperature_c, conflict.decided_by) == ("accepted", 5.0, "Anna")
    assert conflict.decided_at is not None


def test_a_dismissed_conflict_changes_nothing(conflict: Conflict) -> None:
    assert conflicts.dismiss(Conflict.objects.all(), by="Anna") == 1
    assert Reading.objects.get(recorded_at=conflict.recorded_at).temperature_c == 5.0
    assert Conflict.objects.get().state == "dismissed"


def test_a_decision_is_final(conflict: Conflict) -> None:
    conflicts.dismiss(Conflict.objects.all(), by="Anna")
    assert conflicts.accept(Conflict.objects.all(), by="Ben") == 0
    assert Reading.objects.get(recorded_at=conflict.recorded_at).temperature_c == 5.0
