"""`/health` of a running system, while its beat, its workers and its broker are really stopped."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from temperature_site.dev.folder_broker import BROKER_URL
from tests.running_system import NeverCameTrue, RunningSystem, running_system, wait_until

pytestmark = pytest.mark.xdist_group("running system")

SILENT_SECONDS = 12
# The cached report, the time between two heartbeats, and a margin for slow machines.
SEEN_WITHIN = SILENT_SECONDS + 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Health:
    """What a running system's web process says."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/health"

    def answer(self) -> dict[str, str]:
        try:
            with urllib.request.urlopen(self.url, timeout=15) as response:  # noqa: S310  our own process
                report: dict[str, str] = json.load(response)
        except urllib.error.HTTPError as error:
            report = json.load(error)
        except OSError:
            return {}
        return report

    def comes_to_say(self, part: str, beginning: str) -> dict[str, str]:
        """Wait until the part's finding begins so; return the whole answer. Raise NeverCameTrue with the last one."""
        answer: dict[str, str] = {}

        def is_said() -> bool:
            answer.clear()
            answer.update(self.answer())
            return answer.get(part, "").startswith(beginning)

        try:
            wait_until(f"{part} is “{beginning}”", is_said, seconds=SEEN_WITHIN, look_every=0.5)
        except NeverCameTrue as error:
            raise NeverCameTrue(f"{error} The last answer: {answer}") from error
        return answer


# Nothing answers the demo's sources, and its audit trail is as old as the template that the database is a copy of:
# `/health` would report sources that are never polled successfully, and a trail that has not been chained for long.
ONLY_PROCESSES_MATTER = """
SET LOCAL session_replication_role = replica;
UPDATE source SET is_paused = true;
UPDATE audit_entry SET happened_at = now()
"""


def started(system: RunningSystem, port: int) -> Health:
    system.database.rows(ONLY_PROCESSES_MATTER)
    system.manage("shell", "-c", "from readings.storage.partitions import ensure_partitions_ahead as e; e()")
    for name in ("web", "worker", "message-worker", "slow-worker", "beat"):
        system.start(name)
    health = Health(port)
    health.comes_to_say("status", "ok")
    return health


def test_stopped_and_recovered_parts_are_reported(tmp_path: Path) -> None:
    port = free_port()
    settings = {"PORT": str(port), "HEALTH_SILENT_SECONDS": str(SILENT_SECONDS), "WEB_WORKERS": "1"}
    with running_system(BROKER_URL, tmp_path, **settings) as system:
        health = started(system, port)

        system.kill("slow-worker")
        system.kill("beat")
        answer = health.comes_to_say("beat", "error: nothing sent since ")
        answer = health.comes_to_say("workers", "error: ")
        queue = system.environment["CELERY_QUEUE"]
        assert answer["workers"].startswith(f"error: {queue}.slow: no worker seen since ")
        assert f"{queue}: " not in answer["workers"]
        assert (answer["status"], answer["database"], answer["rabbitmq"]) == ("degraded", "ok", "ok")

        system.start("beat")
        system.start("slow-worker")
        health.comes_to_say("status", "ok")

        shutil.rmtree(tmp_path / "broker")
        assert health.comes_to_say("rabbitmq", "error: ")["database"] == "ok"


@pytest.mark.rabbitmq
def test_rabbitmq_reports_a_stopped_worker_at_once(tmp_path: Path, broker_url: str) -> None:
    port = free_port()
    with running_system(broker_url, tmp_path, PORT=str(port), WEB_WORKERS="1") as system:
        health = started(system, port)

        system.kill("worker")
        answer = health.comes_to_say("workers", "error: ")

        assert answer["workers"] == f"error: {system.environment['CELERY_QUEUE']}: no worker listens"
        assert answer["beat"] == answer["rabbitmq"] == "ok"
