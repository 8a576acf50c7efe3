"""Start the servers, the outside world and the system of a trial, and remove everything afterwards."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from faults.clocks import faked, set_shared, shared
from faults.gateway import Gateway
from faults.mqtt import Sensor, own_mosquitto
from faults.polled_system import PolledSystem
from faults.preparation import Prepared
from faults.probes import Probes
from faults.servers import OwnPostgres, OwnRabbit, free_port
from faults.trial import PROCESSES, RECOVERED_WITHIN, SHARED_CLOCK, Trial
from faults.volumes import Volume
from faults.writers import Writers
from temperature_site.dev.embedded_postgres.server import EmbeddedPostgres
from temperature_site.dev.processes import marked_processes
from tests.databases import Database
from tests.running_system import SECRET_KEY, RunningSystem, delete_queues, wait_until
from tests.webhook_receiver import WebhookReceiver

PREPARE = "from faults.preparation import prepare; prepare({!r}, {!r}, {!r})"
CREATE_PARTITIONS = "from readings.storage.partitions import ensure_partitions_ahead as e; e()"
ROOT = Path(__file__).parent.parent
DEFAULT_FLEET = ROOT / "simulator/model/fleets/default.json"
# No message is sent while the database is being filled.
NO_BROKER = "amqp://127.0.0.1:1//"
SAMPLED_EVERY_SECONDS = 3
RUN = ".venv/bin/python manage.py run"
MINIMAL = {
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
# Of the environment in which the faults are run, so that the embedded services are used.
SERVICES = ("DATABASE_URL", "CELERY_BROKER_URL", "CELERY_QUEUE", "DATA_DIR")

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


@dataclass(frozen=True)
class Conditions:
    """Under which a trial is run.

    `broker_url`: another RabbitMQ than its own, into which no fault is injected. `transport`: faults of the customers'
    systems, for the simulator. `starts_at`: what all clocks of the system show when it is started, None for the right
    time. `has_shared_clock`: they can be set while it is running. `is_embedded`: the system is what `manage.py run`
    starts, with the embedded PostgreSQL and broker. `has_subscriber`: with MQTT. `sampled_every_seconds`: how often the
    simulated units measure.
    """

    broker_url: str = ""
    transport: str = ""
    starts_at: datetime | None = None
    has_shared_clock: bool = False
    is_embedded: bool = False
    has_subscriber: bool = False
    sampled_every_seconds: int = SAMPLED_EVERY_SECONDS
    environment: dict[str, str] = field(default_factory=dict)


@contextmanager
def running_trial(folder: Path, conditions: Conditions, template: Path | Database | None = None) -> Iterator[Trial]:
    """Start servers, simulator, senders, receiver and the system; stop and remove everything afterwards.

    `template`: what the database is to be a copy of, with the demo's customers: the data directory of a stopped
    PostgreSQL, as `template_of` makes it, or a database of another server.
    """
    with ExitStack() as ended_last:
        offset = _offset(conditions.starts_at)
        clock = faked(offset)
        if conditions.has_shared_clock:
            set_shared(folder / SHARED_CLOCK, offset)
            clock = shared(folder / SHARED_CLOCK)
        if conditions.is_embedded:
            postgres = rabbit = None
            ended_last.enter_context(Volume(folder / "data").mounted())
            ended_last.callback(end_embedded, folder / "data")
            system = _embedded_system(folder, conditions)
            ended_last.callback(system.stop)
        else:
            postgres = OwnPostgres(folder, clock)
            ended_last.enter_context(postgres.volume.mounted())
            postgres.start(template if isinstance(template, Path) else None)
            ended_last.callback(postgres.kill)
            if isinstance(template, Database):
                postgres.fill_from(template.url)
            rabbit = None if conditions.broker_url else OwnRabbit(folder)
            if rabbit:
                rabbit.start()
                ended_last.callback(rabbit.kill)
            broker_url = rabbit.url if rabbit else conditions.broker_url
            environment = os.environ | MINIMAL | clock | _addresses(folder, postgres.url, broker_url)
            system = RunningSystem(Database(postgres.url), environment | conditions.environment, folder)
            ended_last.callback(delete_queues, broker_url, environment["CELERY_QUEUE"])
        trial = _prepared(system, conditions, ended_last, offset, is_loaded=template is not None)
        trial.postgres, trial.rabbit = postgres, rabbit
        ended_last.callback(trial.end)
        trial.start_processes()
        wait_until("the system reports ok", trial.is_healthy, seconds=RECOVERED_WITHIN, look_every=0.5)
        if trial.sensor:
            trial.sensor.wait_until_received(trial.database)
        yield trial


def _offset(starts_at: datetime | None) -> timedelta:
    """Return whole seconds, as libfaketime is told, by which clocks that show `starts_at` now are wrong."""
    return timedelta(seconds=round((starts_at - datetime.now(UTC)).total_seconds())) if starts_at else timedelta()


def template_of(folder: Path) -> Path:
    """Create a database with the demo's customers, and return the data directory of its stopped server."""
    postgres = OwnPostgres(folder)
    postgres.start()
    try:
        environment = os.environ | MINIMAL | _addresses(folder, postgres.url, NO_BROKER)
        _load(RunningSystem(Database(postgres.url), environment, folder))
    finally:
        postgres.stop()
    return postgres.directory


def _load(system: RunningSystem) -> None:
    for command in ("migrate", "ensure_schedule", "load_demo"):
        system.manage(command, DEMO="true")


def _addresses(folder: Path, database_url: str, broker_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": broker_url,
        "CELERY_QUEUE": f"test-faults-{uuid.uuid4().hex[:12]}",
        "DATA_DIR": str(folder),
        "PORT": str(free_port()),
    }


def _embedded_system(folder: Path, conditions: Conditions) -> RunningSystem:
    """Start what `manage.py run` starts; return it once its database has tables."""
    data = folder / "data"
    environment = {name: value for name, value in os.environ.items() if name not in SERVICES} | MINIMAL
    environment |= {"DATA_DIR": str(data), "PORT": str(free_port())} | conditions.environment
    database = Database(EmbeddedPostgres(data / "postgres").url)
    system = RunningSystem(database, environment, folder, commands={"run": RUN})
    system.start("run")
    site = Probes(f"http://127.0.0.1:{environment['PORT']}")
    wait_until("the system answers", site.health, seconds=RECOVERED_WITHIN, look_every=0.5)
    site.end()
    return system


def end_embedded(data: Path) -> None:
    """End whatever `manage.py run` has left behind for this data directory, its PostgreSQL included."""
    for process in [*embedded_postgres(data), *marked_processes(str(data))]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def embedded_postgres(data: Path) -> list[psutil.Process]:
    """Return the server of this data directory and its children, none while it is not running."""
    with suppress(FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        leader = psutil.Process(int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
        if str(data) in " ".join(leader.cmdline()):  # not another program that has got its number
            return [leader, *leader.children(recursive=True)]
    return []


def _prepared(
    system: RunningSystem, conditions: Conditions, ended_last: ExitStack, offset: timedelta, *, is_loaded: bool
) -> Trial:
    """Fill the database, start the simulator and those who send, and point the sources at them."""
    receiver = ended_last.enter_context(WebhookReceiver())
    polled = PolledSystem()
    ended_last.callback(polled.end)
    mosquitto = own_mosquitto(system.folder) if conditions.has_subscriber else None
    if mosquitto:
        mosquitto.start()
        ended_last.callback(mosquitto.kill)
    if conditions.is_embedded:
        system.manage("load_demo", DEMO="true")
    elif not is_loaded:
        _load(system)
    system.manage("shell", "-c", CREATE_PARTITIONS)
    broker_url = mosquitto.url if mosquitto else ""
    told = system.output("shell", "-c", PREPARE.format(receiver.url, broker_url, polled.url))
    prepared = Prepared.of(told.strip().splitlines()[-1])
    system.database.rows(TICK_OFTEN)
    urls = _start_simulator(system, conditions)
    site = f"http://127.0.0.1:{system.environment['PORT']}"

    processes = ("run",) if conditions.is_embedded else PROCESSES + (("subscriber",) if mosquitto else ())
    trial = Trial(
        system=system,
        processes=processes,
        postgres=None,
        rabbit=None,
        urls=urls,
        gateway=Gateway(site + prepared.push_path, prepared.push_token),
        receiver=receiver,
        probes=Probes(site),
        writers=Writers(site, prepared, polled, system, system.folder),
        sensor=Sensor(mosquitto) if mosquitto else None,
        clock_offset=offset,
    )
    # The clocks of those who send go with the system's.
    trial.gateway.now = trial.now
    if trial.sensor:
        trial.sensor.now = trial.now
    return trial


def _start_simulator(system: RunningSystem, conditions: Conditions) -> dict[str, str]:
    """Start the customers' systems and let the sources poll them; return their URLs by customer."""
    arguments = ["--fleet", str(often_sampled_fleet(system.folder, conditions.sampled_every_seconds))]
    if conditions.transport:
        arguments += ["--transport", conditions.transport]
    urls = system.start_simulator(*arguments)
    for code, url in urls.items():
        system.database.rows(POLL_SIMULATOR, {"code": code, "url": url})
    return urls


def often_sampled_fleet(folder: Path, every_seconds: int = SAMPLED_EVERY_SECONDS) -> Path:
    """Write the demo's fleet with units that measure every few seconds, by exact clocks; return the file.

    The readings of a period are compared, and a reading by an inexact clock may lie on the other side of its end.
    """
    customers = json.loads(DEFAULT_FLEET.read_text())
    for customer in customers:
        customer["template"] = "pharmaceutical"
        for facility in customer["facilities"]:
            for unit in facility["units"]:
                unit["reading_every_seconds"] = every_seconds
    file = folder / "fleet.json"
    file.write_text(json.dumps(customers))
    return file


def run_beside(system: RunningSystem, command: str, folder: Path = ROOT, **environment: str) -> subprocess.Popen[bytes]:
    """Start a further process of the system, in a folder with the code of a release."""
    return subprocess.Popen(
        shlex.split(command),
        cwd=folder,
        env=system.environment | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
