"""Messages of a real broker are stored once, whatever happens between their receipt and the commit."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import paho.mqtt.client as mqtt
import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction
from paho.mqtt.enums import CallbackAPIVersion

from core.db import clock
from customers.models import StorageUnit
from ingestion.loading import messages
from ingestion.loading.messages import load_message
from ingestion.loading.source_push import SentBody
from ingestion.models import Delivery, RejectedRow, Source
from ingestion.subscribing import subscriber
from ingestion.subscribing.tests.brokers import WAIT_SECONDS, running
from readings.models import Reading
from tests.factories import PushSourceFactory
from tests.running_system import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

HOST, _, PORT = (os.environ.get("TEST_MQTT_BROKER") or "127.0.0.1:1883").partition(":")


@dataclass(frozen=True)
class Broker:
    """The broker, and a prefix that makes a test's topics its own."""

    prefix: str
    client: mqtt.Client

    def publish(self, topic: str, payload: object, *, retain: bool = False) -> None:
        """Publish and wait until the broker has it."""
        data = payload if isinstance(payload, str) else json.dumps(payload)
        self.client.publish(f"{self.prefix}/{topic}", data, qos=1, retain=retain).wait_for_publish(10)


@pytest.fixture
def broker() -> Iterator[Broker]:
    try:
        socket.create_connection((HOST, int(PORT)), 3).close()
    except OSError as error:
        reason = f"No MQTT broker answers at TEST_MQTT_BROKER: {error}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect(HOST, int(PORT))
    client.loop_start()
    yield Broker(f"test-{uuid.uuid4().hex}", client)
    client.disconnect()
    client.loop_stop()


@pytest.fixture
def source(broker: Broker, settings: Any) -> Iterator[Source]:
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    source = PushSourceFactory(
        ingestion_type="mqtt", broker_url=f"mqtt://{HOST}:{PORT}", topic_filters=[f"{broker.prefix}/{{unit}}/t"]
    )
    yield source
    # The broker would keep the session, and what is published to its topics, for ever.
    forgetting = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"temperature-{source.public_id}")
    forgetting.connect(HOST, int(PORT))
    forgetting.disconnect()


def wait_for(is_met: Callable[[], bool]) -> None:
    wait_until("the condition is met", is_met, seconds=WAIT_SECONDS, look_every=0.05)


def subscribed(broker: Broker, source: Source) -> None:
    """Wait until the session exists, by messages that are no readings of the test."""

    def is_subscribed() -> bool:
        broker.publish("probe/t", "")
        broker.publish("probe/t", {"time": "2026-11-01T10:00:00Z", "temperature": 1, "scale": "C"})
        return Delivery.objects.filter(source=source).exists()

    wait_for(is_subscribed)


def temperatures() -> list[float | None]:
    found = Reading.objects.exclude(temperature_c=1).order_by("recorded_at")
    return list(found.values_list("temperature_c", flat=True))


def row(minute: int, temperature: float) -> dict[str, object]:
    return {"time": f"2026-11-23T10:{minute:02}:00Z", "temperature": temperature, "scale": "C"}


def test_messages_are_stored_with_the_unit_of_their_topic_through_the_mapping(broker: Broker, source: Source) -> None:
    with running():
        subscribed(broker, source)
        broker.publish("F1/t", row(0, -18.5))
        broker.publish("F2/t", [row(0, 4.5), row(1, 4.6)])
        broker.publish("F1/t", row(0, -18.5))
        wait_for(lambda: len(temperatures()) == 3)

        Source.objects.get(pk=source.pk).save()  # changed: the subscriber connects again
        broker.publish("F3/t", row(2, 5.5))
        wait_for(lambda: len(temperatures()) == 4)

    assert set(StorageUnit.objects.values_list("unit_code", flat=True)) >= {"F1", "F2", "F3"}
    delivery = Delivery.objects.filter(source=source).latest("id")
    assert (delivery.ingestion_type, delivery.source_url) == ("mqtt", f"{broker.prefix}/F3/t")


def test_what_cannot_be_read_or_timed_is_kept_as_a_rejected_row(broker: Broker, source: Source) -> None:
    broker.publish("F1/t", {"temp": 7, "degrees": "C"}, retain=True)
    with running():
        subscribed(broker, source)
        broker.publish("F1/t", "{]")
        wait_for(lambda: RejectedRow.objects.count() == 2)
    broker.publish("F1/t", "", retain=True)

    kept = {each.reason: each for each in RejectedRow.objects.all()}
    assert set(kept) == {"invalid_json", "no_time"}
    assert kept["invalid_json"].raw == "{]"
    assert temperatures() == []


def test_a_kill_between_receipt_and_commit_loses_and_duplicates_nothing(broker: Broker, source: Source) -> None:
    with _process() as first:
        subscribed(broker, source)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE delivery IN EXCLUSIVE MODE")
            for minute in range(5):
                broker.publish("F1/t", row(minute, minute + 10))
            wait_for(lambda: _waits_for_lock(cursor))
            first.kill()
            first.wait(WAIT_SECONDS)
    broker.publish("F1/t", row(5, 15))
    assert temperatures() == []
    Source.objects.update(lease_until=clock.database_now())  # as half a minute later

    with _process():
        wait_for(lambda: len(temperatures()) >= 6)

    assert temperatures() == [10, 11, 12, 13, 14, 15]
    assert RejectedRow.objects.count() == 0


def _waits_for_lock(cursor: Any) -> bool:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'delivery'::regclass")
    return bool(cursor.fetchone()[0])


@contextmanager
def _process() -> Iterator[subprocess.Popen[bytes]]:
    """Run `manage.py subscriber` on the test's database."""
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    environment = {"DATABASE_URL": url, "SOURCE_ALLOWED_NETWORKS": "127.0.0.0/8", "OUTGOING_PORTS": "1-65535"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "subscriber"], cwd=settings.BASE_DIR, env=os.environ | environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(WAIT_SECONDS)


def test_a_message_that_the_database_always_refuses_is_kept_with_the_reason_and_holds_up_no_other(
    broker: Broker, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def refuse_poison(source: Source, body: SentBody) -> None:
        if b"poison" in body.data:
            attempts.append(body.message_key)
            raise OperationalError("server closed the connection unexpectedly")
        load_message(source, body)

    monkeypatch.setattr(messages, "load_message", refuse_poison)
    monkeypatch.setattr(subscriber, "_RETRY_SECONDS", 0.05)
    with running():
        subscribed(broker, source)
        broker.publish("F1/t", {"poison": True})
        broker.publish("F2/t", row(0, 4.5))
        wait_for(lambda: temperatures() == [4.5] and RejectedRow.objects.exists())

    (kept,) = RejectedRow.objects.all()
    assert ('"poison"' in kept.raw, "OperationalError" in kept.message) == (True, True)
    # Once in its batch, then by itself.
    assert subscriber.MAX_ATTEMPTS <= len(attempts) <= subscriber.MAX_ATTEMPTS + 2
