"""A source that was not polled for long, because it was paused or the system off, is polled before it is down."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from alarms.models import Alarm
from alarms.tests.evaluation import load
from ingestion.loading.registration import link_units
from ingestion.models import Source
from ingestion.polling.claims import poll_now, resume
from ingestion.watchdog import run_watchdogs
from readings.storage.reading_batch import ReadingRow
from tests.factories import SensorFactory, SourceFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

IN_TIME, TOO_LATE = timedelta(seconds=5), timedelta(seconds=61)


@pytest.fixture
def resumed_at(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Create a source that succeeded a day ago and is resumed now; return the time."""
    now = timezone.now()
    monkeypatch.setattr("core.db.clock.database_now", lambda: now)
    SourceFactory(is_paused=True, interval_seconds=60, last_success_at=now - timedelta(days=1))
    resume(Source.objects.all())
    return now


def down() -> list[str]:
    """Return the states of the alarms of sources that are down."""
    return list(Alarm.objects.filter(kind=Alarm.Kind.SOURCE_DOWN).values_list("state", flat=True))


def test_a_resumed_source_has_a_minute_to_be_polled(resumed_at: datetime) -> None:
    """So has one with a new URL or a shorter interval: its last success is long ago although nothing is wrong."""
    run_watchdogs(resumed_at + IN_TIME)
    assert down() == []

    run_watchdogs(resumed_at + TOO_LATE)
    assert down() == ["open"]


def test_a_source_is_down_until_a_poll_succeeds_not_until_one_is_asked_for(resumed_at: datetime) -> None:
    run_watchdogs(resumed_at + TOO_LATE)
    poll_now(Source.objects.all())

    run_watchdogs(resumed_at + IN_TIME)

    assert down() == ["open"]


class TestAfterTheSystemWasOff:
    RESUMED = timedelta(minutes=30)

    @pytest.fixture
    def now(self) -> datetime:
        return timezone.now()

    @pytest.fixture
    def source(self, now: datetime) -> Source:
        """Create a source with its unit that were in order, and due in a minute, when the system was stopped."""
        sensor = SensorFactory(storage_unit=StorageUnitFactory(interval_seconds=60))
        load([ReadingRow(sensor.storage_unit_id, sensor.pk, now, 5.0)], now)
        source = SourceFactory(
            customer=sensor.storage_unit.facility.customer,
            interval_seconds=60,
            last_success_at=now,
            next_due_at=now + timedelta(minutes=1),
        )
        link_units([(source.pk, sensor.storage_unit_id)])
        run_watchdogs(now)
        return source

    @pytest.mark.usefixtures("source")
    def test_neither_a_source_nor_its_unit_has_an_alarm_before_it_is_polled(self, now: datetime) -> None:
        run_watchdogs(now + self.RESUMED)
        run_watchdogs(now + self.RESUMED + IN_TIME)
        assert not Alarm.objects.exists()

    def test_a_source_that_fails_then_is_down(self, source: Source, now: datetime) -> None:
        run_watchdogs(now + self.RESUMED)
        Source.objects.filter(pk=source.pk).update(failures_in_a_row=1)
        run_watchdogs(now + self.RESUMED + IN_TIME)
        assert down() == ["open"]

    @pytest.mark.usefixtures("source")
    def test_a_source_that_is_not_polled_for_a_minute_is_down(self, now: datetime) -> None:
        run_watchdogs(now + self.RESUMED)
        run_watchdogs(now + self.RESUMED + timedelta(seconds=30))
        run_watchdogs(now + self.RESUMED + TOO_LATE)
        assert down() == ["open"]
