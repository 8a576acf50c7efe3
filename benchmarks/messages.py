"""MQTT messages from a broker to the commit, beside a client that only receives and acknowledges them.

The broker is TEST_MQTT_BROKER, 127.0.0.1:1883 by default; without one there is nothing to measure.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
from django.conf import settings
from django.db import connection
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.measuring.results import Results
from customers.models import Customer
from ingestion.models import IngestionType, Source
from ingestion.subscribing.subscriber import Subscriber
from readings.models import Reading

HOST, _, PORT = (os.environ.get("TEST_MQTT_BROKER") or "127.0.0.1:1883").partition(":")
MESSAGES, UNITS = 300, 20
# Readings in a message.
SIZES = (1, 60)
START = datetime(2026, 3, 1, tzinfo=UTC)
WAIT_SECONDS = 120.0


def run(results: Results) -> None:
    """Measure messages a second of the subscriber as a ratio to those of the bare client."""
    try:
        socket.create_connection((HOST, int(PORT)), 3).close()
    except OSError:
        results.title(f"not measured, no broker responds at {HOST}:{PORT}")
        return
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.OUTGOING_PORTS = ["1-65535"]
    results.title(f"{MESSAGES:,} with QoS 1 to {UNITS} units, one subscriber")
    for size in SIZES:
        bare = _bare_seconds(size)
        began = time.process_time()
        stored = _stored_seconds(size)
        cpu_milliseconds = (time.process_time() - began) / MESSAGES * 1e3
        results.add(
            f"{size} {'readings' if size > 1 else 'reading'} in each",
            bare / stored,
            "of receiving",
            note=f"{MESSAGES / stored:,.0f} messages/s, {MESSAGES * size / stored:,.0f} readings/s, "
            f"{cpu_milliseconds:.1f} ms CPU of the process a message",
        )


def _bare_seconds(size: int) -> float:
    prefix = f"bench-{uuid.uuid4().hex}"
    received = threading.Semaphore(0)
    with _client() as client:
        client.on_message = lambda *_: received.release()
        client.subscribe(f"{prefix}/#", 1)
        return _seconds(prefix, size, lambda: all(received.acquire(timeout=WAIT_SECONDS) for _ in range(MESSAGES)))


def _stored_seconds(size: int) -> float:
    prefix = f"bench-{uuid.uuid4().hex}"
    customer, _ = Customer.objects.get_or_create(customer_code=f"MQTT-{size}", defaults={"name": "MQTT"})
    source = Source.objects.create(
        customer=customer,
        name=prefix,
        ingestion_type=IngestionType.MQTT,
        broker_url=f"mqtt://{HOST}:{PORT}",
        topic_filters=[f"{prefix}/{{unit}}"],
        registers_units=True,
    )
    before = Reading.objects.count()
    with _running():
        _until(lambda: Source.objects.filter(pk=source.pk, lease_until__isnull=False).exists())
        time.sleep(1)  # the subscription follows the claim
        seconds = _seconds(prefix, size, lambda: _until(lambda: Reading.objects.count() - before == MESSAGES * size))
    source.delete()
    return seconds


def _seconds(prefix: str, size: int, wait: Callable[[], object]) -> float:
    """Publish the messages, and return how long it takes until `wait` returns."""
    payloads = [_payload(number, size) for number in range(MESSAGES)]
    with _client() as client:
        began = time.monotonic()
        for number, payload in enumerate(payloads):
            client.publish(f"{prefix}/U{number % UNITS}", payload, qos=1)
        wait()
    return time.monotonic() - began


def _payload(number: int, size: int) -> str:
    first = START + timedelta(minutes=number // UNITS * size)
    rows = [
        {"time": f"{first + timedelta(minutes=row):%Y-%m-%dT%H:%M:%SZ}", "temperature": 4.5, "scale": "C"}
        for row in range(size)
    ]
    return json.dumps(rows if size > 1 else rows[0])


def _until(is_met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_met():
        if time.monotonic() > deadline:
            raise TimeoutError("The messages were not stored in time.")
        time.sleep(0.02)


@contextmanager
def _client() -> Iterator[mqtt.Client]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect(HOST, int(PORT))
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def _running() -> Iterator[None]:
    stopping = threading.Event()

    def serve() -> None:
        Subscriber(is_stopping=stopping.is_set, record_heartbeat=lambda: None).run()
        connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(WAIT_SECONDS)
