"""PostgreSQL and RabbitMQ servers of one's own, which can be killed, frozen, emptied and restarted."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import psycopg2
from kombu import Connection

from faults.volumes import Volume
from temperature_site.dev.embedded_postgres import SUPERUSER
from temperature_site.dev.embedded_postgres.server import (
    BINARIES,
    DURABLE,
    allow_passage,
    as_system_user,
    give_to_system_user,
    is_root,
)

START_SECONDS = 60
STOP_SECONDS = 30
RABBITMQ_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def free_port() -> int:
    """Return a TCP port of the loopback interface on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OwnServer:
    """A server process and its children, in a session of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process that leads its session."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End all its processes without a chance to clean up."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._reap()

    def freeze(self) -> None:
        """Stop its processes from running: connections stay open, and nothing answers."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        """Let frozen processes run again."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def _processes(self) -> list[psutil.Process]:
        assert self._process is not None
        leader = psutil.Process(self._process.pid)
        return [leader, *leader.children(recursive=True)]

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait(STOP_SECONDS)

    def _run(self, command: list[str], environment: dict[str, str], log: Path, **user: Any) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **user,
            )


class OwnPostgres(OwnServer):
    """A PostgreSQL server that listens on TCP, as in production: a frozen socket of the file system has no timeouts."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(folder)
        self.volume = Volume(folder / "volume")
        self.directory = self.volume.folder / "postgres"
        self._environment = environment

    @property
    def url(self) -> str:
        """The URL of its database."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/temperature"

    def start(self, template: Path | None = None) -> None:
        """Create the cluster if there is none, as a copy of `template` if given; start, and wait until it accepts."""
        if not self.directory.exists():
            self._create(template)
        (self.directory / "postmaster.pid").unlink(missing_ok=True)
        # Only processes end, not the machine: what was written is not lost, on disk or not.
        options = DURABLE | {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "shared_buffers": "64MB",
            "max_wal_size": "192MB",
            "fsync": "off",
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [str(BINARIES / "postgres"), "-D", str(self.directory), "-k", "", *arguments]
        self._run(command, os.environ | self._environment, self.folder / "postgres.log", **as_system_user())
        self._wait_until_it_accepts()

    def restart_if_ended(self) -> None:
        """Start it again if it has ended, as a service manager does."""
        assert self._process is not None
        if self._process.poll() is not None:
            self.start()

    def stop(self) -> None:
        """Stop as `pg_ctl --mode=fast` does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._reap()

    def execute(self, sql: str) -> None:
        """Execute one statement outside a transaction, also while the server lets others only read."""
        options = "-c default_transaction_read_only=off"
        with closing(psycopg2.connect(self.url, options=options)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(sql)

    def fill_from(self, url: str) -> None:
        """Copy another server's database, without its owners and grants."""
        dump = [str(BINARIES / "pg_dump"), "--no-owner", "--no-acl", f"--dbname={url}"]
        restore = [str(BINARIES / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={self.url}"]
        with subprocess.Popen(dump, stdout=subprocess.PIPE) as dumping:
            subprocess.run(restore, stdin=dumping.stdout, stdout=subprocess.DEVNULL, check=True)
        if dumping.returncode:
            raise RuntimeError(f"pg_dump has ended with code {dumping.returncode}.")

    def _create(self, template: Path | None) -> None:
        self.volume.folder.mkdir(exist_ok=True)
        if template:
            subprocess.run(["cp", "-a", str(template), str(self.directory)], check=True)
            return
        self.directory.mkdir(mode=0o700)
        if is_root():
            give_to_system_user(self.directory)
            for path in (self.directory, BINARIES):
                allow_passage(path)
        command = [str(BINARIES / "initdb"), "--auth=trust", f"--username={SUPERUSER}", f"--pgdata={self.directory}"]
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8"]
        subprocess.run([*command, *locale], check=True, stdout=subprocess.DEVNULL, **as_system_user())

    def _wait_until_it_accepts(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        server = self.url.replace("/temperature", "/postgres")
        while True:
            try:
                with closing(psycopg2.connect(server, connect_timeout=2)) as connection:
                    connection.autocommit = True
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT FROM pg_database WHERE datname = 'temperature'")
                        if not cursor.rowcount:
                            cursor.execute("CREATE DATABASE temperature")
                    return
            except psycopg2.OperationalError:
                if time.monotonic() > deadline or (self._process and self._process.poll() is not None):
                    raise
                time.sleep(0.1)


class OwnRabbit(OwnServer):
    """A RabbitMQ node with its own data, cookie and port mapper."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment = os.environ | {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"faults-{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "rabbitmq"),
            "RABBITMQ_LOG_BASE": str(folder / "rabbitmq-log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "no-plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq-settings"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-rabbit disk_free_limit 1000000",
        }

    @property
    def url(self) -> str:
        """The URL of its default virtual host."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        if not RABBITMQ_SERVER.exists():
            raise RuntimeError(f"{RABBITMQ_SERVER} does not exist. Install RabbitMQ, with Debian's `rabbitmq-server`.")
        (self.folder / "no-plugins").write_text("[].\n")
        self._run([str(RABBITMQ_SERVER)], self.environment, self.folder / "rabbitmq.log")
        deadline = time.monotonic() + START_SECONDS
        while not self.accepts():
            if time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ does not accept connections, see {self.folder / 'rabbitmq.log'}.")
            time.sleep(0.2)

    def accepts(self) -> bool:
        """Return whether a client can connect."""
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Stop as a service manager does."""
        assert self._process is not None
        for process in self._processes():
            if process.name() == "beam.smp":
                process.terminate()
        self._reap()

    def empty(self) -> None:
        """Delete its data, queues and messages included, while it is not running."""
        shutil.rmtree(self.folder / "rabbitmq", ignore_errors=True)

    def control(self, *arguments: str) -> None:
        """Run `rabbitmqctl`."""
        command = [str(RABBITMQ_SERVER.with_name("rabbitmqctl")), "--node", self.environment["RABBITMQ_NODENAME"]]
        subprocess.run([*command, *arguments], env=self.environment, check=True, stdout=subprocess.DEVNULL, timeout=60)

    def kill(self) -> None:
        """End all its processes, its port mapper included."""
        super().kill()
        self.end_port_mapper()

    def end_port_mapper(self) -> None:
        """End the port mapper, which runs apart from the node."""
        for process in psutil.process_iter(["name"]):
            if process.info["name"] != "epmd":
                continue
            with suppress(psutil.Error):
                if process.environ().get("ERL_EPMD_PORT") == self.environment["ERL_EPMD_PORT"]:
                    process.kill()


@contextmanager
def frozen(server: OwnServer) -> Iterator[None]:
    """Freeze a server and let it run again afterwards."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()
