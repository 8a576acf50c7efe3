"""Records are deleted when their retention is over, on record; what still waits for somebody is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from alarms.models import Attempt, Message
from alarms.notifications.retention import purge_messages
from audit.models import AuditEntry
from ingestion.metrics import delivery_metrics
from ingestion.models import Delivery, RejectedRow
from ingestion.retention import purge_deliveries, purge_rejected_rows
from tests.alarm_factories import AlarmFactory, ClosedAlarmFactory, MessageFactory
from tests.factories import DeliveryFactory, RejectedRowFactory

pytestmark = pytest.mark.django_db

OLD = timezone.now() - timedelta(days=401)
RECENT = timezone.now() - timedelta(days=399)


def deletions(model: str) -> list[int]:
    entries = AuditEntry.objects.filter(action="deleted", model=model)
    return [entry.after["deleted"] for entry in entries if entry.after]


def test_old_deliveries_are_deleted_in_batches_and_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.db.retention.BATCH_ROWS", 2)
    DeliveryFactory.create_batch(3, started_at=OLD)
    recent = DeliveryFactory(started_at=RECENT)
    before = delivery_metrics()

    assert purge_deliveries() == 3

    assert list(Delivery.objects.all()) == [recent]
    assert delivery_metrics() == before
    assert sorted(deletions("ingestion.delivery")) == [1, 2]
    assert purge_deliveries() == 0


def test_a_delivery_with_rows_that_wait_is_kept() -> None:
    row = RejectedRowFactory(delivery=DeliveryFactory(started_at=OLD), last_seen_at=OLD)
    assert (purge_rejected_rows(), purge_deliveries()) == (0, 0)

    RejectedRow.objects.update(state="dismissed", decided_at=OLD, decided_by="someone")

    assert (purge_rejected_rows(), purge_deliveries()) == (1, 1)
    assert AuditEntry.objects.filter(model="ingestion.rejectedrow", object_id=str(row.pk), action="deleted").exists()


def test_a_dismissed_row_that_is_still_received_is_kept_so_that_it_does_not_wait_again() -> None:
    RejectedRowFactory(state="dismissed", decided_at=OLD, decided_by="someone", last_seen_at=RECENT)

    assert purge_rejected_rows() == 0


def test_old_messages_are_deleted_with_their_attempts_unless_their_alarm_is_open() -> None:
    closed, live = (
        MessageFactory(state="sent", sent_at=OLD, created_at=OLD, alarm=alarm)
        for alarm in (ClosedAlarmFactory(), AlarmFactory())
    )
    waiting = MessageFactory(created_at=OLD)
    for message in (closed, live):
        Attempt.objects.create(message=message, at=OLD, duration_seconds=0.1, outcome="delivered")

    assert purge_messages() == 1

    assert set(Message.objects.all()) == {live, waiting}
    assert Attempt.objects.get().message == live
    assert deletions("alarms.message") == [1]


def test_a_retention_of_zero_keeps_everything(settings: Settings) -> None:
    settings.DELIVERY_RETENTION_DAYS = 0
    DeliveryFactory(started_at=OLD)
    assert purge_deliveries() == 0
