"""A whole system under load, the outside world that it is compared with, and its recovery."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg2

from faults.clocks import SHARED_WITHIN_SECONDS, set_shared
from faults.comparison import Accounts, Comparison, compare, message_ids
from faults.gateway import Gateway
from faults.mqtt import Sensor
from faults.probes import Probes
from faults.servers import OwnPostgres, OwnRabbit
from faults.writers import Writers
from tests.databases import Database
from tests.running_system import RunningSystem, wait_until
from tests.webhook_receiver import WebhookReceiver

PROCESSES = ("web", "worker", "message-worker", "slow-worker", "beat")
RECOVERED_WITHIN = 180.0
REPORTED_WITHIN = 60.0
LOOK_EVERY = 0.2
# In the trial's folder, what its clocks show.
SHARED_CLOCK = "clock"

POLLED_SINCE = """
SELECT count(DISTINCT source_id) FROM delivery JOIN source ON source.id = source_id
    JOIN customer ON customer.id = source.customer_id
WHERE url <> '' AND customer_code = ANY(%s) AND status IN ('success', 'partial') AND started_at > %s
"""
LEFT_BEHIND = "SELECT count(*) FROM message WHERE state <> 'sent' OR claim_id IS NOT NULL"


@dataclass
class Trial:
    """The running system, its servers, and those that send to it and receive from it."""

    system: RunningSystem
    processes: tuple[str, ...]
    postgres: OwnPostgres | None
    rabbit: OwnRabbit | None
    urls: dict[str, str]
    gateway: Gateway
    receiver: WebhookReceiver
    probes: Probes
    writers: Writers
    # Publishes by MQTT, if there is a broker.
    sensor: Sensor | None = None
    # By which the clocks of all processes and servers differ from this process's.
    clock_offset: timedelta = timedelta()
    # What else a fault has found to be wrong.
    findings: list[str] = field(default_factory=list)
    _since: datetime = field(default_factory=lambda: datetime.now(UTC))
    # What writers have sent, by customer and unit.
    _written: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    _wanted: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _is_ending: threading.Event = field(default_factory=threading.Event)

    @property
    def database(self) -> Database:
        """The system's database."""
        return self.system.database

    def now(self) -> datetime:
        """Return the time by the system's clocks."""
        return datetime.now(UTC) + self.clock_offset

    def set_clocks(self, offset: timedelta) -> None:
        """Set the shared clock of all processes and servers, and wait until it shows the new time everywhere."""
        set_shared(self.system.folder / SHARED_CLOCK, offset)
        self.clock_offset = offset
        time.sleep(SHARED_WITHIN_SECONDS)

    def start_processes(self) -> None:
        """Start the system, and restart what ends from now on, as a service manager does."""
        self._wanted = set(self.processes)
        with self._lock:
            for name in self.processes:
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

    def restart_with(self, environments: dict[str, dict[str, str]]) -> None:
        """Kill processes; they are restarted with these further environment variables, in place of earlier ones."""
        with self._lock:
            for name, environment in environments.items():
                self.system.environments[name] = environment
            self.kill(*environments)

    def terminate(self, name: str) -> None:
        """Ask a process to end as a release does, and wait until it has; it is restarted."""
        with self._lock:
            process = self.system.processes.get(name)
        if process is None:
            return  # it is being restarted
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)

    def begin(self) -> None:
        """Begin what is compared: everything measured and sent from now on."""
        self._since = self.now()
        self.findings.clear()
        self.writers.refusals.clear()
        self.gateway.begin()
        if self.sensor:
            self.sensor.begin()
        self.probes.begin()
        self.gateway.push()

    def expect(self, customer: str, unit: str, temperatures_c: list[float]) -> None:
        """Expect these readings of a unit beside those that the gateway pushes and the sensor publishes."""
        count, total = self._written.get((customer, unit), (0, 0.0))
        self._written[customer, unit] = (count + len(temperatures_c), total + sum(temperatures_c))

    def pause(self) -> None:
        """Let everybody who sends finish what was begun, and begin nothing further."""
        self.gateway.pause()
        if self.sensor:
            self.sensor.pause()

    def recovered_after(self) -> float:
        """Wait until every source is polled, every push acknowledged and every message sent; return the seconds."""
        began_at, began = self.now(), time.monotonic()
        self.pause()
        wait_until("all sources are polled", lambda: self._polled_since(began_at), seconds=RECOVERED_WITHIN)
        polled_after = time.monotonic() - began
        wait_until("all messages are sent", self._is_every_message_sent, seconds=RECOVERED_WITHIN)
        wait_until("what was published is stored", self._is_everything_received, seconds=RECOVERED_WITHIN)
        wait_until("the system reports ok", self.is_healthy, seconds=RECOVERED_WITHIN, look_every=0.5)
        return polled_after

    def compare(self) -> Comparison:
        """Compare readings and messages since `begin` with what the customers and the receiver recorded."""
        until = self.now()
        # Twice: the response that the first of these deliveries loads may have been sent before.
        for _ in range(2):
            since = self.now()
            wait_until("all sources are polled again", partial(self._polled_since, since), seconds=RECOVERED_WITHIN)
        units = tuple(self.gateway.acknowledged)
        expected = self.gateway.expected | self._written | (self.sensor.expected if self.sensor else {})
        return compare(self.database, Accounts(self.urls, self._since, until, expected, units, self.receiver))

    def end(self) -> None:
        """Stop the load and the processes."""
        self._is_ending.set()
        self.probes.end()
        self.gateway.end()
        if self.sensor:
            self.sensor.end()
        with self._lock:
            self._wanted.clear()
            self.system.stop()

    def is_healthy(self) -> bool:
        """Return whether `/health` reports ok."""
        return self.probes.health().get("status") == "ok"

    def wait_for_report(self, part: str) -> None:
        """Wait until `/health` reports an error of this part. Raise NeverCameTrue after a minute."""

        def is_reported() -> bool:
            return self.probes.health().get(part, "ok") != "ok"

        wait_until(f"/health reports {part}", is_reported, seconds=REPORTED_WITHIN, look_every=0.5)

    def _restart_what_ended(self) -> None:
        while not self._is_ending.wait(LOOK_EVERY):
            with self._lock:
                for name, process in list(self.system.processes.items()):
                    if name in self.processes and process.poll() is not None:
                        self.system.kill(name)
                for name in self._wanted - self.system.processes.keys():
                    self.system.start(name)

    def _polled_since(self, instant: datetime) -> bool:
        with suppress(psycopg2.Error):  # the fault may not be over
            return bool(self.database.value(POLLED_SINCE, [list(self.urls), instant]) == len(self.urls))
        return False

    def _is_every_message_sent(self) -> bool:
        with suppress(psycopg2.Error):  # the fault may not be over
            units = set(self.gateway.acknowledged)
            return units <= message_ids(self.receiver).keys() and self.database.value(LEFT_BEHIND) == 0
        return False

    def _is_everything_received(self) -> bool:
        if self.sensor is None:
            return True
        with suppress(psycopg2.Error):  # the fault may not be over
            return self.sensor.is_stored(self.database)
        return False
