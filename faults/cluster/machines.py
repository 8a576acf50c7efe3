"""A whole system on several machines, compared with what its customers and receivers recorded."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from faults.cluster.servers import ClusteredRabbit, HAProxy, PgBouncer, Replica, rabbit_cluster
from faults.gateway import Gateway
from faults.polled_system import PolledSystem
from faults.preparation import Prepared
from faults.probes import ANSWER_SECONDS, Probes
from faults.servers import OwnPostgres, free_port
from faults.starting import POLL_SIMULATOR, PREPARE, TICK_OFTEN, often_sampled_fleet
from faults.trial import RECOVERED_WITHIN, Trial
from faults.writers import Writers
from temperature_site.dev.embedded_postgres import SUPERUSER
from tests.databases import Database
from tests.running_system import SECRET_KEY, RunningSystem, wait_until
from tests.webhook_receiver import WebhookReceiver

WORKERS = ("worker", "message-worker", "slow-worker")
LOOK_EVERY = 0.2
# The first is answered from the replica, the others from the primary.
PAGES = ("/api/v1/temperature?limit=100", "/api/v1/facilities", "/ready")
CREATE_READER = """
from customers.access.tokens import create_token
from customers.models import Customer
print(create_token(Customer.objects.exclude(customer_code='GATEWAY').first(), 'pages', ['read'])[1])
"""


class PageProbes(Probes):
    """Requests pages again and again, each until it is answered, and remembers how long the slowest took."""

    paths = PAGES
    token = ""
    failures = 0

    @override
    def health(self) -> dict[str, str]:
        """Return the report of `/health`, empty if HAProxy itself responds."""
        try:
            return super().health()
        except json.JSONDecodeError:
            return {}

    @override
    def _probe_for_ever(self, path: str) -> None:
        while not self._is_ending.wait(LOOK_EVERY):
            began = time.monotonic()
            while not self._is_answered(path) and not self._is_ending.wait(LOOK_EVERY):
                self.failures += 1
            self.slowest_seconds[path] = max(self.slowest_seconds[path], time.monotonic() - began)

    def _is_answered(self, path: str) -> bool:
        request = urllib.request.Request(self.site + path, headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310  our own site
                response.read()
        except (urllib.error.HTTPError, OSError):
            return False
        return True


@dataclass
class Machine:
    """Processes of the system that are restarted when they end, and removed together."""

    system: RunningSystem
    names: tuple[str, ...]
    is_there: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep_running(self, is_ending: threading.Event) -> None:
        """Start what is not running, unless the machine is removed, until the end."""
        while not is_ending.wait(LOOK_EVERY):
            with self._lock:
                if not self.is_there.is_set():
                    continue
                for name in self.names:
                    if name in self.system.processes and self.system.processes[name].poll() is not None:
                        with suppress(ProcessLookupError):  # it has left no children
                            self.system.kill(name)
                    self.system.start(name)

    def remove(self) -> None:
        """Kill all its processes, which are not started again."""
        with self._lock:
            self.is_there.clear()
            for name in self.names:
                self.system.kill(name)


@dataclass
class Cluster:
    """The machines and servers of a system under load."""

    trial: Trial
    primary: OwnPostgres
    replica: Replica
    bouncers: list[PgBouncer]
    rabbits: list[ClusteredRabbit]
    web: list[Machine]
    workers: list[Machine]
    probes: PageProbes

    def wait_for_synchronous_replica(self) -> None:
        """Let commits wait for the replica, as Patroni's synchronous mode does while there is one."""
        _configure(self.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        database = Database(self.primary.url)
        wait_until(
            "the replica streams",
            lambda: database.rows("SELECT pid FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"),
            seconds=RECOVERED_WITHIN,
        )

    def go_on_without_replica(self) -> None:
        """Let commits wait for no replica."""
        _configure(self.primary, "ALTER SYSTEM SET synchronous_standby_names = ''")


def _configure(server: OwnPostgres, sql: str) -> None:
    server.execute(sql)
    server.execute("SELECT pg_reload_conf()")


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start the servers and the system on its machines; stop everything afterwards."""
    with ExitStack() as ended_last:
        primary, replica, bouncers = _databases(folder, ended_last)
        rabbits = rabbit_cluster(folder, 3)
        for rabbit in rabbits:
            ended_last.callback(rabbit.kill)
        ended_last.callback(rabbits[0].end_port_mapper)
        database = Database(
            f"postgresql://{SUPERUSER}@127.0.0.1:{primary.port},127.0.0.1:{replica.port}/temperature"
            "?target_session_attrs=read-write"
        )
        settings = _settings(bouncers, rabbits)
        control = _machine(folder / "control", database, settings, ("beat",))
        web = [_machine(folder / f"web-{number}", database, settings, ("web",)) for number in (1, 2)]
        workers = [_machine(folder / f"worker-{number}", database, settings, WORKERS) for number in (1, 2)]
        proxy = HAProxy(folder)
        proxy.start([int(machine.system.environment["PORT"]) for machine in web])
        ended_last.callback(proxy.kill)
        receiver = ended_last.enter_context(WebhookReceiver())
        site = f"http://127.0.0.1:{proxy.port}"
        trial = _prepare(control.system, primary, receiver, site)
        assert isinstance(trial.probes, PageProbes)
        cluster = Cluster(trial, primary, replica, bouncers, rabbits, web, workers, trial.probes)
        is_ending = threading.Event()
        for machine in (control, *web, *workers):
            machine.is_there.set()
            ended_last.callback(machine.system.stop)
            threading.Thread(target=machine.keep_running, args=[is_ending], daemon=True).start()
        ended_last.callback(trial.end)
        ended_last.callback(is_ending.set)
        cluster.wait_for_synchronous_replica()
        wait_until("the system reports ok", trial.is_healthy, seconds=RECOVERED_WITHIN, look_every=0.5)
        yield cluster


def _databases(folder: Path, ended_last: ExitStack) -> tuple[OwnPostgres, Replica, list[PgBouncer]]:
    for name in ("db-1", "db-2"):
        (folder / name).mkdir()
    primary, replica = OwnPostgres(folder / "db-1"), Replica(folder / "db-2")
    primary.start()
    ended_last.callback(primary.kill)
    replica.copy(primary)
    replica.start()
    ended_last.callback(replica.kill)
    bouncers = [
        PgBouncer(server.folder, f"host=127.0.0.1 port={server.port} user={SUPERUSER} dbname=temperature")
        for server in (primary, replica)
    ]
    for bouncer in bouncers:
        bouncer.start()
        ended_last.callback(bouncer.kill)
    return primary, replica, bouncers


def _settings(bouncers: list[PgBouncer], rabbits: list[ClusteredRabbit]) -> dict[str, str]:
    hosts = ",".join(f"127.0.0.1:{bouncer.port}" for bouncer in bouncers)
    return {
        "DATABASE_URL": f"postgresql://{SUPERUSER}@{hosts}/temperature?target_session_attrs=read-write",
        "DATABASE_REPLICA_URL": bouncers[1].url,
        "PGBOUNCER": "true",
        "CELERY_BROKER_URL": ";".join(rabbit.url for rabbit in rabbits),
        "CELERY_QUEUE_TYPE": "quorum",
        "CELERY_QUEUE": f"test-faults-{uuid.uuid4().hex[:12]}",
        "SECRET_KEY": SECRET_KEY,
        "DEMO": "false",
        "DEBUG": "false",
        "WEB_WORKERS": "1",
        "WORKER_CONCURRENCY": "2",
        "POLARS_MAX_THREADS": "1",
        "OUTGOING_PORTS": "1-65535",
        "SOURCE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "NOTIFICATION_ALLOWED_NETWORKS": "127.0.0.0/8",
    }


def _machine(folder: Path, database: Database, settings: dict[str, str], names: tuple[str, ...]) -> Machine:
    folder.mkdir()
    own = {"DATA_DIR": str(folder), "PORT": str(free_port())}
    return Machine(RunningSystem(database, os.environ | settings | own, folder), names)


def _prepare(system: RunningSystem, primary: OwnPostgres, receiver: WebhookReceiver, site: str) -> Trial:
    """Fill the database, start the simulator and point the sources at it."""
    for command in ("migrate", "ensure_schedule", "load_demo"):
        system.manage(command, DEMO="true")
    system.manage("shell", "-c", "from readings.storage.partitions import ensure_partitions_ahead as e; e()")
    polled = PolledSystem()
    told = system.output("shell", "-c", PREPARE.format(receiver.url, "", polled.url))
    prepared = Prepared.of(told.strip().splitlines()[-1])
    system.database.rows(TICK_OFTEN)
    urls = system.start_simulator("--fleet", str(often_sampled_fleet(system.folder)))
    for code, url in urls.items():
        system.database.rows(POLL_SIMULATOR, {"code": code, "url": url})
    probes = PageProbes(site)
    probes.token = system.output("shell", "-c", CREATE_READER).split()[-1]
    return Trial(
        system=system,
        processes=(),
        postgres=primary,
        rabbit=None,
        urls=urls,
        gateway=Gateway(site + prepared.push_path, prepared.push_token),
        receiver=receiver,
        probes=probes,
        writers=Writers(site, prepared, polled, system, system.folder),
    )
