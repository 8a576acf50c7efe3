"""Subscribers, and a Mosquitto of the test's own with TLS and a password, which it may stop and start."""

from __future__ import annotations

import random
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from django.db import connection
from paho.mqtt.enums import CallbackAPIVersion

from ingestion.subscribing.subscriber import Subscriber
from tests.certificates import Authority
from tests.running_system import wait_until

WAIT_SECONDS = 60.0
USER, PASSWORD = "collector", "pass-1"
# Debian installs it where only root looks for programs.
_PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def running() -> Iterator[None]:
    """Run a subscriber in a thread, with a connection of its own."""
    stopping = threading.Event()

    def run() -> None:
        try:
            Subscriber(is_stopping=stopping.is_set, record_heartbeat=lambda: None).run()
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(WAIT_SECONDS)


@dataclass
class OwnBroker:
    """A broker over TLS on the loopback that keeps its sessions in a folder while it is stopped."""

    folder: Path
    authority: Authority
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """The address of the broker, as a source names it."""
        return f"mqtts://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [str(_PROGRAM), "-c", str(self.folder / "mosquitto.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until("the broker answers", self._answers, seconds=WAIT_SECONDS)

    def stop(self) -> None:
        """Stop it; it stores its sessions and the messages in them."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(WAIT_SECONDS)

    @contextmanager
    def client(self) -> Iterator[mqtt.Client]:
        """Connect a client that publishes."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(USER, PASSWORD)
        client.tls_set_context(self._context())
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        try:
            yield client
        finally:
            client.disconnect()
            client.loop_stop()

    def publish(self, messages: dict[str, str]) -> None:
        """Publish messages by their topics, and wait until the broker has them."""
        with self.client() as client:
            sent = [client.publish(topic, text, qos=1) for topic, text in messages.items()]
            for message in sent:
                message.wait_for_publish(WAIT_SECONDS)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.pem)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as plain:
                self._context().wrap_socket(plain, server_hostname="127.0.0.1").close()
        except OSError:
            return False
        return True


def _lasting_port() -> int:
    """Return a free port that no outgoing connection gets while the broker is stopped, as those above 32,767 may."""
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no port is free")


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[OwnBroker]:
    """Run a broker until the test ends."""
    if _PROGRAM is None:
        pytest.skip("Mosquitto is not installed.")
    authority = Authority(tmp_path)
    port = _lasting_port()
    certificate = authority.issue("127.0.0.1")
    passwords = tmp_path / "passwords"
    passwords.write_text(f"{USER}:{PASSWORD}\n", encoding="ascii")
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    (tmp_path / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {certificate}\nallow_anonymous false\n"
        f"password_file {passwords}\npersistence true\npersistence_location {tmp_path}/\nuser root\n",
        encoding="ascii",
    )
    broker = OwnBroker(tmp_path, authority, port)
    broker.start()
    yield broker
    broker.stop()
