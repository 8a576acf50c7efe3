"""A Mosquitto of one's own, and a sensor that publishes readings until the broker has them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from faults.comparison import HELD
from faults.servers import OwnServer
from tests.databases import Database
from tests.running_system import wait_until

# Debian installs it where only root looks for programs.
PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
CUSTOMER = "MQTT"
TEMPERATURE_C = 5.0
UNITS_A_ROUND = 5
ROUND_EVERY_SECONDS = 0.5
ANSWER_SECONDS = 30.0


class OwnMosquitto(OwnServer):
    """A broker without TLS on the loopback, which keeps its sessions while a subscriber is away."""

    @property
    def url(self) -> str:
        """The address as a source names it."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        settings = self.folder / "mosquitto.conf"
        settings.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 0\n")
        self._run([str(PROGRAM), "-c", str(settings)], dict(os.environ), self.folder / "mosquitto.log")
        wait_until("Mosquitto accepts connections", self._accepts, seconds=ANSWER_SECONDS)

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@dataclass
class Sensor:
    """Publishes one reading each of new units, ten a second."""

    broker: OwnMosquitto
    # The time by the system's clocks.
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    published: list[str] = field(default_factory=list)
    _count: int = 0
    _is_ending: threading.Event = field(default_factory=threading.Event)
    _is_wanted: threading.Event = field(default_factory=threading.Event)
    _is_idle: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", self.broker.port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._publish_for_ever, daemon=True)
        self._thread.start()

    @property
    def expected(self) -> dict[tuple[str, str], tuple[int, float]]:
        """What the broker has accepted: number and sum of the temperatures by customer and unit."""
        return {(CUSTOMER, unit): (1, TEMPERATURE_C) for unit in self.published}

    def wait_until_received(self, database: Database) -> None:
        """Wait until the system has subscribed: what is published before that is lost."""

        def is_received() -> bool:
            self._client.publish("faults/probe", self._row(), qos=1).wait_for_publish(ANSWER_SECONDS)
            return bool(database.rows(HELD, [[CUSTOMER]]))

        wait_until("what is published is stored", is_received, seconds=2 * ANSWER_SECONDS, look_every=1)

    def begin(self) -> None:
        """Forget what was published before, and publish from now on."""
        self.published.clear()
        self._is_wanted.set()

    def pause(self) -> None:
        """Begin no further round, and wait until the broker has what was begun."""
        self._is_wanted.clear()
        self._is_idle.wait(ANSWER_SECONDS)

    def is_stored(self, database: Database, units: Sequence[str] | None = None) -> bool:
        """Return whether a reading of each of these units is stored, of every published one if none are given."""
        return set(units or self.published) <= {row[1] for row in database.rows(HELD, [[CUSTOMER]])}

    def end(self) -> None:
        """End the thread and the connection."""
        self._is_ending.set()
        self._is_wanted.set()
        self._thread.join(ANSWER_SECONDS)
        self._client.disconnect()
        self._client.loop_stop()

    def _row(self) -> str:
        return json.dumps({"temperature": TEMPERATURE_C, "scale": "C", "time": self.now().isoformat()})

    def _publish_for_ever(self) -> None:
        while not self._is_ending.is_set():
            if not self._is_wanted.is_set():
                self._is_idle.set()
                self._is_wanted.wait()
                continue
            self._is_idle.clear()
            units = [f"published_{self._count + number:06}" for number in range(UNITS_A_ROUND)]
            self._count += UNITS_A_ROUND
            row = self._row()
            for each in [self._client.publish(f"faults/{unit}", row, qos=1) for unit in units]:
                each.wait_for_publish(ANSWER_SECONDS)
            self.published.extend(units)
            time.sleep(ROUND_EVERY_SECONDS)


def own_mosquitto(folder: Path) -> OwnMosquitto | None:
    """Return a broker, None if Mosquitto is not installed."""
    return OwnMosquitto(folder) if PROGRAM else None
