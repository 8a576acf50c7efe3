"""A whole system under load on servers of its own, compared with what its customers and receivers recorded."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg2

from faults.gateway import TOO_WARM_C, Gateway
from faults.probes import Probes
from faults.servers import OwnPostgres, OwnRabbit, free_port
from tests.collected import LATEST_ASTRAY, ROLLUPS_ASTRAY, accounts_due, accounts_in, difference
from tests.databases import Database
from tests.running_system import SECRET_KEY, RunningSystem, delete_queues, wait_until
from tests.webhook_receiver import WebhookReceiver

PREPARE = "from faults.preparation import prepare; print(prepare({!r}))"
DEFAULT_FLEET = Path(__file__).parent.parent / "simulator/model/fleets/default.json"
PROCESSES = ("web", "worker", "message-worker", "slow-worker", "beat")
SAMPLED_EVERY_SECONDS = 3
RECOVERED_WITHIN = 180.0
LOOK_EVERY = 0.2
MAX_EXAMPLES = 5

POLL_SIMULATOR = """
UPDATE source SET structure_url = %(url)s || '/facilities',
    url = %(url)s || replace(substring(url FROM '://[^/]+(/.*)'), 'hours={hours}', 'since={since}&until={until}'),
    interval_seconds = 2, first_hours = 1, next_due_at = now()
WHERE customer_id = (SELECT id FROM customer WHERE customer_code = %(code)s)
"""
TICK_OFTEN = """
WITH often AS (INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (1, 'seconds') RETURNING id)
UPDATE django_celery_beat_periodictask SET interval_id = often.id
FROM often WHERE name IN ('Send due sources', 'Send due messages')
"""
POLLED_SINCE = """
SELECT count(DISTINCT source_id) FROM delivery JOIN source ON source.id = source_id
WHERE url <> '' AND status IN ('success', 'partial') AND started_at > %s
"""
PUSHED = """
SELECT unit_code, count(*), sum(temperature_c) FROM reading
    JOIN storage_unit ON storage_unit.id = storage_unit_id
    JOIN facility ON facility.id = facility_id JOIN customer ON customer.id = customer_id
WHERE customer_code = 'GATEWAY' GROUP BY 1
"""
CONFLICTS = "SELECT count(*) FROM reading_conflict"
LEFT_BEHIND = "SELECT count(*) FROM message WHERE state <> 'sent' OR claim_id IS NOT NULL"


@dataclass(frozen=True)
class Comparison:
    """What a fault has done to readings and messages."""

    readings: int
    missing: int
    extra: int
    changed: int
    messages: int
    messages_missing: int
    messages_duplicated: int
    # Some of what differs, for whoever looks for the cause.
    examples: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether everything arrived exactly once."""
        return not (self.missing or self.extra or self.changed or self.messages_missing or self.messages_duplicated)


@dataclass
class Trial:
    """The running system, its servers, and the outside world that they are compared with."""

    system: RunningSystem
    postgres: OwnPostgres
    rabbit: OwnRabbit | None
    urls: dict[str, str]
    gateway: Gateway
    receiver: WebhookReceiver
    probes: Probes
    _since: datetime = field(default_factory=lambda: datetime.now(UTC))
    _acknowledged_before: int = 0
    _wanted: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _is_ending: threading.Event = field(default_factory=threading.Event)

    @property
    def database(self) -> Database:
        """The system's database."""
        return self.system.database

    def start_processes(self) -> None:
        """Start the system, and restart what ends from now on, as a service manager does."""
        self._wanted = set(PROCESSES)
        for name in PROCESSES:
            self.system.start(name)
        threading.Thread(target=self._restart_what_ended, daemon=True).start()

    def kill(self, *names: str) -> None:
        """Kill processes with their children; they are restarted."""
        with self._lock:
            for name in names:
                if name in self.system.processes:
                    self.system.kill(name)

    def stop_processes(self, *names: str) -> None:
        """Kill processes that are not to be restarted until `resume_processes`."""
        with self._lock:
            self._wanted -= set(names)
            self.kill(*names)

    def resume_processes(self, *names: str) -> None:
        """Let these processes be started again."""
        with self._lock:
            self._wanted |= set(names)

    def terminate(self, name: str) -> None:
        """Ask a process to end as a release does, and wait until it has; it is restarted."""
        with self._lock:
            process = self.system.processes[name]
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)

    def begin(self) -> None:
        """Begin what is compared: everything measured and pushed from now on."""
        self._since = datetime.now(UTC)
        self._acknowledged_before = len(self.gateway.acknowledged)
        self.probes.begin()
        self.gateway.push()

    def recovered_after(self) -> float:
        """Wait until every source is polled, every push acknowledged and every message sent; return the seconds."""
        began_at, began = datetime.now(UTC), time.monotonic()
        self.gateway.pause()
        wait_until("all sources are polled", lambda: self._polled_since(began_at), seconds=RECOVERED_WITHIN)
        polled_after = time.monotonic() - began
        wait_until("all messages are sent", self._is_every_message_sent, seconds=RECOVERED_WITHIN)
        wait_until("the system reports ok", self.is_healthy, seconds=RECOVERED_WITHIN, look_every=0.5)
        return polled_after

    def compare(self) -> Comparison:
        """Compare readings and messages since `begin` with what the customers and the receiver recorded."""
        until = datetime.now(UTC)
        # Twice: the response that the first of these deliveries loads may have been sent before.
        for _ in range(2):
            since = datetime.now(UTC)
            wait_until("all sources are polled again", partial(self._polled_since, since), seconds=RECOVERED_WITHIN)
        due = accounts_due(self.urls, self._since, until)
        held = accounts_in(self.database, self._since, until)
        simulated = difference({unit: account for unit, account in held.items() if unit[0] in self.urls}, due)
        units = self.gateway.acknowledged[self._acknowledged_before :]
        pushed = {code: (count, total) for code, count, total in self.database.rows(PUSHED)}
        ids = self._message_ids()
        conflicts = self.database.value(CONFLICTS)
        astray = [*self.database.rows(ROLLUPS_ASTRAY), *self.database.rows(LATEST_ASTRAY)]
        other = [f"{unit}: {held.get(unit)}, due {due[unit]}" for unit in due if held.get(unit) != due[unit]]
        other += [f"{unit}: {pushed.get(unit)}" for unit in units if pushed.get(unit) != (2, 2 * TOO_WARM_C)]
        other += [f"unit {row[0]}: roll-ups or latest reading" for row in astray]
        return Comparison(
            readings=sum(account.count for account in due.values()) + 2 * len(units),
            missing=simulated.missing + sum(max(0, 2 - pushed.get(unit, (0, 0))[0]) for unit in units),
            extra=simulated.extra + sum(max(0, pushed.get(unit, (0, 0))[0] - 2) for unit in units),
            changed=simulated.changed
            + conflicts
            + len(astray)
            + sum(pushed.get(unit, (0, 2 * TOO_WARM_C))[1] != 2 * TOO_WARM_C for unit in units),
            messages=len(units),
            messages_missing=sum(not ids.get(unit) for unit in units),
            messages_duplicated=sum(len(ids.get(unit, ())) > 1 for unit in units),
            examples=tuple(other[:MAX_EXAMPLES]),
        )

    def end(self) -> None:
        """Stop the load and the processes."""
        self._is_ending.set()
        self.probes.end()
        self.gateway.end()
        with self._lock:
            self._wanted.clear()
            self.system.stop()

    def _restart_what_ended(self) -> None:
        while not self._is_ending.wait(LOOK_EVERY):
            with self._lock:
                for name, process in list(self.system.processes.items()):
                    if process.poll() is not None:
                        self.system.kill(name)
                for name in self._wanted - self.system.processes.keys():
                    self.system.start(name)

    def _polled_since(self, instant: datetime) -> bool:
        with suppress(psycopg2.Error):  # the fault may not be over
            return bool(self.database.value(POLLED_SINCE, [instant]) == len(self.urls))
        return False

    def _is_every_message_sent(self) -> bool:
        with suppress(psycopg2.Error):  # the fault may not be over
            units = set(self.gateway.acknowledged[self._acknowledged_before :])
            return units <= self._message_ids().keys() and self.database.value(LEFT_BEHIND) == 0
        return False

    def is_healthy(self) -> bool:
        """Return whether `/health` reports ok."""
        return self.probes.health().get("status") == "ok"

    def _message_ids(self) -> dict[str, Counter[str]]:
        """Return the ids of the messages about opened alarms that the receiver got, by unit."""
        ids: dict[str, Counter[str]] = {}
        for delivery in list(self.receiver.deliveries):
            event = delivery.document
            for each in event["data"].get("messages", [{"id": delivery.id, **event}]):
                alarm = each["data"]["alarm"]
                if each["type"] == "alarm.opened" and alarm["kind"] == "temperature":
                    ids.setdefault(alarm["unit"]["code"], Counter())[each["id"]] += 1
        return ids


@contextmanager
def running_trial(folder: Path, *, broker_url: str = "", transport: str = "", **environment: str) -> Iterator[Trial]:
    """Start servers, simulator, receiver and the system; stop and remove everything afterwards.

    `broker_url`: another RabbitMQ than its own, into which no fault is injected. `transport`: faults of the customers'
    systems, for the simulator.
    """
    postgres, rabbit = OwnPostgres(folder), None if broker_url else OwnRabbit(folder)
    with ExitStack() as ended_last:
        postgres.start()
        ended_last.callback(postgres.kill)
        if rabbit:
            rabbit.start()
            ended_last.callback(rabbit.kill)
            broker_url = rabbit.url
        receiver = ended_last.enter_context(WebhookReceiver())
        system = RunningSystem(Database(postgres.url), _environment(folder, postgres, broker_url) | environment, folder)
        ended_last.callback(delete_queues, broker_url, system.environment["CELERY_QUEUE"])
        trial = _prepare(system, postgres, rabbit, receiver, transport)
        ended_last.callback(trial.end)
        trial.start_processes()
        wait_until("the system reports ok", trial.is_healthy, seconds=RECOVERED_WITHIN, look_every=0.5)
        yield trial


def _environment(folder: Path, postgres: OwnPostgres, broker_url: str) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": postgres.url,
        "CELERY_BROKER_URL": broker_url,
        "CELERY_QUEUE": f"test-faults-{uuid.uuid4().hex[:12]}",
        "DATA_DIR": str(folder),
        "SECRET_KEY": SECRET_KEY,
        "DEMO": "false",
        "DEBUG": "false",
        "PORT": str(free_port()),
        "WEB_WORKERS": "1",
        "WORKER_CONCURRENCY": "2",
        "POLARS_MAX_THREADS": "1",
        "OUTGOING_PORTS": "1-65535",
        "SOURCE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "NOTIFICATION_ALLOWED_NETWORKS": "127.0.0.0/8",
    }


def _prepare(
    system: RunningSystem, postgres: OwnPostgres, rabbit: OwnRabbit | None, receiver: WebhookReceiver, transport: str
) -> Trial:
    """Fill the database, start the simulator and point the sources at it."""
    for command in ("migrate", "ensure_schedule", "load_demo"):
        system.manage(command, DEMO="true")
    system.manage("shell", "-c", "from readings.storage.partitions import ensure_partitions_ahead as e; e()")
    path, token = system.output("shell", "-c", PREPARE.format(receiver.url)).split()[-2:]
    system.database.rows(TICK_OFTEN)
    arguments = ["--fleet", str(often_sampled_fleet(system.folder))]
    urls = system.start_simulator(*arguments, *(["--transport", transport] if transport else []))
    for code, url in urls.items():
        system.database.rows(POLL_SIMULATOR, {"code": code, "url": url})
    site = f"http://127.0.0.1:{system.environment['PORT']}"
    return Trial(system, postgres, rabbit, urls, Gateway(site + path, token), receiver, Probes(site))


def often_sampled_fleet(folder: Path) -> Path:
    """Write the demo's fleet with units that measure every few seconds, by exact clocks; return the file.

    The readings of a period are compared, and a reading by an inexact clock may lie on the other side of its end.
    """
    customers = json.loads(DEFAULT_FLEET.read_text())
    for customer in customers:
        customer["template"] = "pharmaceutical"
        for facility in customer["facilities"]:
            for unit in facility["units"]:
                unit["reading_every_seconds"] = SAMPLED_EVERY_SECONDS
    file = folder / "fleet.json"
    file.write_text(json.dumps(customers))
    return file
