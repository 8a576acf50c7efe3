"""Workers are killed at random during a storm of alarms: every message arrives, every repeat under the same id."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.running_system import RunningSystem, running_system, wait_until
from tests.webhook_receiver import Answer, Delivery, WebhookReceiver

pytestmark = [pytest.mark.rabbitmq, pytest.mark.xdist_group("running system")]

ALARMS = 500
KILLS = 20
SEED = int(os.environ.get("STORM_SEED", "20261125"))
SECRET = "whsec_" + "A" * 44

# Those of the demo would group messages and send them elsewhere.
DELETIONS = ("DELETE FROM notification_rule_channels", "DELETE FROM notification_rule", "DELETE FROM channel")
# A demo that runs beside the test has a simulator at the port of the demo's sources, which may raise alarms, too.
WITHOUT_SIMULATOR = r"UPDATE source SET url = regexp_replace(url, 'localhost:\d+', 'localhost:9')"
# A channel without grouping, and a rule for alarms of temperature only: those of the demo's sources, which fail without
# a simulator, would be messages that the test does not count on.
CHANNEL = """
INSERT INTO channel (public_id, customer_id, kind, name, address, secret, previous_secret, messages_a_minute,
    flap_minutes, is_enabled, disabled_reason, failures_in_a_row, last_error)
VALUES (gen_random_uuid(), (SELECT min(id) FROM customer), 'webhook', 'storm', %s, %s, '', 1000, 0, true, '', 0, '')
"""
RULE = """
WITH rule AS (
    INSERT INTO notification_rule (public_id, customer_id, name, is_enabled, kinds, severities, weekdays,
        tells_when_closed)
    SELECT gen_random_uuid(), customer_id, 'temperatures', true, '{temperature}', '{}', '{}', true
    FROM channel RETURNING id
)
INSERT INTO notification_rule_channels (rule_id, channel_id) SELECT rule.id, channel.id FROM rule, channel
"""
CODE = "SELECT customer_code FROM customer ORDER BY id LIMIT 1"
OPEN_ALARMS = "SELECT count(*) FROM alarm WHERE state = 'open'"
TICK_OFTEN = """
WITH often AS (INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (1, 'seconds') RETURNING id)
UPDATE django_celery_beat_periodictask SET interval_id = often.id FROM often WHERE name = 'Send due messages'
"""
IDS = "SELECT public_id::text FROM message"
SENT = "SELECT count(*) FROM message WHERE state = 'sent'"
LEFT = "SELECT count(*) FROM message WHERE state <> 'sent' OR claim_id IS NOT NULL OR lease_until IS NOT NULL"
LEASE_SECONDS = 14


def answer_slowly(_: Delivery) -> Answer:
    """Take some time, so that a kill hits messages in delivery."""
    time.sleep(0.05)  # the receiver's own work, not a wait of the test
    return Answer()


def open_alarms(system: RunningSystem, receiver: WebhookReceiver, folder: Path) -> None:
    """Import one file in which ALARMS units have been ten degrees too warm for forty minutes."""
    for deletion in DELETIONS:
        system.database.rows(deletion)
    system.database.rows(WITHOUT_SIMULATOR)
    system.database.rows(CHANNEL, [receiver.url, encrypted(SECRET, system)])
    system.database.rows(RULE)
    system.database.rows(TICK_OFTEN)
    now = datetime.now(UTC)
    rows = [
        f"cellar,unit_{unit},15.0,C,{(now - timedelta(minutes=ago)).isoformat()},5.0"
        for unit in range(ALARMS)
        for ago in (40, 5)
    ]
    file = folder / "storm.csv"
    header = "facility_id,unit_id,temperature,temperature_unit,timestamp,set_temperature"
    file.write_text("\n".join([header, *rows]))
    system.manage("import_readings", system.database.value(CODE), str(file))
    assert system.database.value(OPEN_ALARMS) == ALARMS


def encrypted(secret: str, system: RunningSystem) -> str:
    """Encrypt the secret with the key of the system's processes."""
    from django.test import override_settings

    from core.crypto.encryption import encrypt

    with override_settings(SOURCE_CREDENTIALS_KEYS=[], SECRET_KEY=system.environment["SECRET_KEY"]):
        return encrypt(secret)


def restart_worker_if_ended(system: RunningSystem) -> bool:
    """Restart the worker if it has ended, as a supervisor would; return True.

    Celery exits when one of its processes is killed while it starts.
    """
    process = system.processes["message-worker"]
    if process.poll() is not None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        del system.processes["message-worker"]
        system.start("message-worker")
    return True


def children(system: RunningSystem) -> list[psutil.Process]:
    """Return the processes of the worker; none while it starts or has just ended."""
    restart_worker_if_ended(system)
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(system.processes["message-worker"].pid).children()
    return []


def kill_random_process(system: RunningSystem, receiver: WebhookReceiver, rng: random.Random) -> bool:
    """Kill the worker or one of its processes after some more messages; return whether any were still missing."""
    before, more = len(receiver.deliveries), rng.randint(1, ALARMS // KILLS // 2)
    wait_until(
        "messages arrive, or all have",
        lambda: (
            restart_worker_if_ended(system)
            and (len(receiver.deliveries) >= before + more or len(receiver.counts) == ALARMS)
        ),
        seconds=45,
        look_every=0.01,
    )
    if rng.random() < 0.25:
        system.kill("message-worker")
        system.start("message-worker")
    else:
        victim = wait_until("the worker has its processes", lambda: children(system), seconds=30)[0]
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    return len(receiver.counts) < ALARMS


def test_killed_workers_lose_no_message(broker_url: str, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    limits = {
        "NOTIFICATION_TOTAL_SECONDS": "2",
        "NOTIFICATION_LEASE_SECONDS": str(LEASE_SECONDS),
        "NOTIFICATION_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    with WebhookReceiver(answer_slowly) as receiver, running_system(broker_url, tmp_path, **limits) as system:
        open_alarms(system, receiver, tmp_path)
        system.start("message-worker")
        system.start("worker")
        system.start("slow-worker")
        system.start("beat")
        assert all(kill_random_process(system, receiver, rng) for _ in range(KILLS))
        wait_until(
            "every message is sent",
            lambda: restart_worker_if_ended(system) and system.database.value(SENT) == ALARMS,
            seconds=180,
            look_every=0.5,
        )

        ids = {identity for (identity,) in system.database.rows(IDS)}
        assert set(receiver.counts) == ids
        assert system.database.value(LEFT) == 0
        bodies: dict[str, bytes] = {}
        for delivery in receiver.deliveries:
            assert bodies.setdefault(delivery.id, delivery.body) == delivery.body
