"""The processes that poll, with a database, queues and a server of sources of their own, and the CPU they take."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2

from benchmarks.measuring.sources_server import SourcesServer, sources_server
from faults.servers import OwnRabbit
from tests.databases import TEMPLATE_VARIABLE, choose_template, migrated_template, own_database
from tests.running_system import RunningSystem, delete_queues

WORKERS = ("worker", "slow-worker", "message-worker")
PREPARE = "from benchmarks.at_scale.polled_system import prepare; prepare({count}, {port}, {interval_seconds})"
AMQP = ("amqp://", "amqps://", "pyamqp://")


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker's URL, and its process if it is one of our own."""

    url: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class PolledSystem:
    """A system that polls the sources of a server once it is started."""

    system: RunningSystem
    server: SourcesServer
    broker: Broker

    def start(self) -> None:
        """Start the workers and beat."""
        for name in (*WORKERS, "beat"):
            self.system.start(name)

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU time that each part has taken since it started; a broker that is not our own is left out."""
        processes = self.system.processes
        parts = {
            "worker": [processes[name].pid for name in WORKERS if name in processes],
            "PostgreSQL": [_postmaster(self.system.database.url)],
            "broker": [self.broker.pid] if self.broker.pid else [],
            "beat": [processes["beat"].pid] if "beat" in processes else [],
            "sources": [self.server.pid],
        }
        return {name: sum(map(_cpu_seconds_of_tree, pids)) for name, pids in parts.items() if pids}


@contextmanager
def own_broker() -> Iterator[Broker]:
    """Yield the broker of BENCH_BROKER_URL, or a RabbitMQ node that is started for this."""
    if url := os.environ.get("BENCH_BROKER_URL"):
        yield Broker(url, None)
        return
    with tempfile.TemporaryDirectory(prefix="bench-broker-", ignore_cleanup_errors=True) as folder:
        rabbit = OwnRabbit(Path(folder))
        with ExitStack() as cleanup:
            cleanup.callback(rabbit.kill)
            rabbit.start()
            yield Broker(rabbit.url, rabbit.pid)


@contextmanager
def polled_system(count: int, interval_seconds: int, broker: Broker) -> Iterator[PolledSystem]:
    """Create a system with this many sources, without running processes. Stop and remove all of it afterwards."""
    if TEMPLATE_VARIABLE not in os.environ:
        choose_template()
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="bench-polled-")))
        server = cleanup.enter_context(sources_server())
        database = cleanup.enter_context(own_database(migrated_template()))
        queue = f"bench-{folder.name}"
        environment = os.environ | {
            "DATABASE_URL": database.url,
            "CELERY_BROKER_URL": broker.url,
            "CELERY_QUEUE": queue,
            "DATA_DIR": str(folder),
            "DEMO": "false",
            "SOURCE_ALLOWED_NETWORKS": "127.0.0.0/8",
            "OUTGOING_PORTS": "1-65535",
        }
        system = RunningSystem(database, environment, folder)
        if broker.url.startswith(AMQP):
            cleanup.callback(delete_queues, broker.url, queue)
        cleanup.callback(system.stop)
        system.manage("ensure_schedule")
        system.manage("shell", "-c", PREPARE.format(count=count, port=server.port, interval_seconds=interval_seconds))
        yield PolledSystem(system, server, broker)


def prepare(count: int, port: int, interval_seconds: int) -> None:
    """Create the partitions and the sources, each due at its next slot, as after years of polling."""
    # This module is also imported before Django is set up.
    from benchmarks.polling import make_sources
    from core.db import clock
    from ingestion.models import Source
    from ingestion.polling.claims import next_due
    from readings.storage.partitions import ensure_partitions_ahead

    ensure_partitions_ahead()
    sources = make_sources(count, port)
    now = clock.database_now()
    for source in sources:
        source.interval_seconds = interval_seconds
        source.next_due_at = next_due(source.pk, interval_seconds, now)
    Source.objects.bulk_update(sources, ["interval_seconds", "next_due_at"], batch_size=1_000)


def _postmaster(url: str) -> int:
    connection = psycopg2.connect(url)
    try:
        return psutil.Process(connection.info.backend_pid).ppid()
    finally:
        connection.close()


def _cpu_seconds_of_tree(pid: int) -> float:
    """Return what a process, its children and those children that have ended took."""
    leader = psutil.Process(pid)
    total = 0.0
    for process in [leader, *leader.children(recursive=True)]:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total
