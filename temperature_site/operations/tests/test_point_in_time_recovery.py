"""The steps of docs/backup.md return a killed server to a moment."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
from django.conf import settings

from temperature_site.dev.embedded_postgres.server import BINARIES, DURABLE, EmbeddedPostgres, as_system_user
from tests.running_system import wait_until

PAGE = (Path(settings.BASE_DIR) / "docs" / "backup.md").read_text()


def documented(block: str, archive: Path) -> dict[str, str]:
    """Return the settings of a block of the page, with the archive in another folder."""
    (text,) = re.findall(rf"```ini\n\s*# {block}\n(.*?)```", PAGE, re.DOTALL)
    lines = [line.strip().split(" = ", 1) for line in text.strip().splitlines()]
    return {name: value.strip("'").replace("/var/lib/temperature-archive", str(archive)) for name, value in lines}


def execute(server: EmbeddedPostgres, sql: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(server.url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def folder() -> Iterator[Path]:
    # Short, and open to the user that runs PostgreSQL for root.
    with tempfile.TemporaryDirectory(prefix="pitr-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def start_server() -> Iterator[Callable[[Path, dict[str, str]], EmbeddedPostgres]]:
    servers: list[EmbeddedPostgres] = []

    def start(directory: Path, more: dict[str, str]) -> EmbeddedPostgres:
        servers.append(EmbeddedPostgres(directory, DURABLE | {"shared_buffers": "16MB"} | more).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def test_a_killed_server_returns_to_a_moment_between_two_rows(
    folder: Path, start_server: Callable[[Path, dict[str, str]], EmbeddedPostgres]
) -> None:
    archive, base = folder / "archive", folder / "base"
    archive.mkdir()
    archive.chmod(0o777)
    server = start_server(folder / "first", documented("postgresql.conf", archive))
    execute(server, "CREATE TABLE reading AS SELECT 1 AS id")
    subprocess.run(
        [
            BINARIES / "pg_basebackup",
            f"--host={server.socket_directory}",
            "--username=postgres",
            f"--pgdata={base}",
            "--checkpoint=fast",
        ],
        check=True,
        **as_system_user(),
    )
    execute(server, "INSERT INTO reading VALUES (2)")
    ((moment,),) = execute(server, "SELECT clock_timestamp()::text")
    execute(server, "INSERT INTO reading VALUES (3)")
    ((segment,),) = execute(server, "SELECT pg_walfile_name(pg_switch_wal())")
    wait_until("the segment is archived", (archive / str(segment)).exists, seconds=30)
    psutil.Process(int((folder / "first" / "postmaster.pid").read_text().splitlines()[0])).kill()

    (base / "recovery.signal").touch()
    recovery = documented("recovery", archive) | {"recovery_target_time": str(moment)}
    restored = start_server(base, recovery)

    wait_until("it is promoted", lambda: execute(restored, "SELECT pg_is_in_recovery()") == [(False,)], seconds=30)
    assert execute(restored, "SELECT id FROM reading ORDER BY id") == [(1,), (2,)]
