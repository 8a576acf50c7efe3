"""The servers of a cluster: two of PostgreSQL, each behind a PgBouncer, three nodes of RabbitMQ, and HAProxy."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg2
from typing_extensions import override

from faults.servers import START_SECONDS, OwnPostgres, OwnRabbit, OwnServer, free_port
from temperature_site.dev.embedded_postgres import SUPERUSER
from temperature_site.dev.embedded_postgres.server import (
    BINARIES,
    allow_passage,
    as_system_user,
    give_to_system_user,
    is_root,
)
from tests.running_system import wait_until

PROGRAMS = ("pgbouncer", "haproxy", "rabbitmqctl")
COOKIE = "faults"
PGBOUNCER_SETTINGS = """\
[databases]
temperature = {server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = {pool_size}
server_login_retry = 1
"""
HAPROXY_SETTINGS = """\
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    retries 2
    option redispatch
    retry-on conn-failure empty-response
    timeout check 5s
    option httpchk
    http-check send meth GET uri /ready ver HTTP/1.1 hdr Host localhost
    default-server check inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions

frontend site
    bind 127.0.0.1:{port}
    # Whether the server has processed a request without a response is not known: only reading is repeated.
    http-request disable-l7-retry if !METH_GET
    default_backend web

backend web
{servers}
"""


def missing_programs() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in PROGRAMS if not shutil.which(name)]


class Replica(OwnPostgres):
    """A streaming replica of another server, which can be promoted."""

    def copy(self, primary: OwnPostgres) -> None:
        """Make its data a copy of the primary's, whom it follows from its next start."""
        directory = self.directory
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True, mode=0o700)
        if is_root():
            give_to_system_user(directory)
            for path in (directory, BINARIES):
                allow_passage(path)
        source = primary.url.replace("/temperature", "/postgres")
        command = [str(BINARIES / "pg_basebackup"), "-d", source, "-D", str(directory), "-R", "-c", "fast"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=START_SECONDS, **as_system_user())

    def promote(self) -> None:
        """Make it a primary, as Patroni does once the primary's lease has expired."""
        self.execute("SELECT pg_promote()")


class PgBouncer(OwnServer):
    """A PgBouncer in transaction mode in front of one database, which is given as libpq's parameters."""

    def __init__(self, folder: Path, server: str, *, pool_size: int = 20) -> None:
        super().__init__(folder)
        self._server = server
        self._pool_size = pool_size

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        settings = self.folder / "pgbouncer.ini"
        settings.write_text(PGBOUNCER_SETTINGS.format(server=self._server, port=self.port, pool_size=self._pool_size))
        command = [shutil.which("pgbouncer") or "pgbouncer", str(settings)]
        self._run(command, {}, self.folder / "pgbouncer.log", **as_system_user())
        wait_until("PgBouncer accepts connections", self._accepts, seconds=START_SECONDS)

    @property
    def url(self) -> str:
        """The URL of the database through it."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/temperature"

    def _accepts(self) -> bool:
        try:
            psycopg2.connect(self.url, connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True


class ClusteredRabbit(OwnRabbit):
    """A node of a RabbitMQ cluster; all its nodes share a port mapper and a cookie."""

    def __init__(self, folder: Path, mapper_port: int) -> None:
        super().__init__(folder)
        self.environment |= {"ERL_EPMD_PORT": str(mapper_port)}
        cookie = folder / ".erlang.cookie"
        cookie.write_text(COOKIE)
        cookie.chmod(0o400)

    def join(self, other: ClusteredRabbit) -> None:
        """Join the cluster of another node."""
        self.control("stop_app")
        self.control("join_cluster", other.environment["RABBITMQ_NODENAME"])
        self.control("start_app")

    @override
    def kill(self) -> None:
        """End its processes, but not the port mapper, which the other nodes use."""
        OwnServer.kill(self)


class HAProxy(OwnServer):
    """HAProxy in front of the web processes on some ports."""

    def start(self, web_ports: Sequence[int]) -> None:
        """Start, and send requests to those web processes that are ready."""
        servers = "\n".join(f"    server web-{port} 127.0.0.1:{port}" for port in web_ports)
        settings = self.folder / "haproxy.cfg"
        settings.write_text(HAPROXY_SETTINGS.format(port=self.port, servers=servers))
        self._run([shutil.which("haproxy") or "haproxy", "-f", str(settings)], {}, self.folder / "haproxy.log")
        wait_until("HAProxy accepts connections", self._accepts, seconds=START_SECONDS)

    def _accepts(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


def rabbit_cluster(folder: Path, size: int) -> list[ClusteredRabbit]:
    """Start a cluster of RabbitMQ nodes."""
    mapper_port = free_port()
    nodes = []
    for number in range(size):
        own = folder / f"mq-{number + 1}"
        own.mkdir()
        nodes.append(ClusteredRabbit(own, mapper_port))
        nodes[-1].start()
        if number:
            nodes[-1].join(nodes[0])
    return nodes
