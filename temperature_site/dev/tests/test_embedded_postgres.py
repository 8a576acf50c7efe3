"""The embedded PostgreSQL: started when needed, found when running, stopped by the last who holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from temperature_site.dev.embedded_postgres.server import (
    FOR_TESTS,
    LONGEST_SOCKET_PATH,
    EmbeddedPostgres,
    render,
    running_postmaster,
)

SMALL = FOR_TESTS | {"shared_buffers": "16MB", "max_connections": "20"}

# What another process does with the same directory; it says "holding" and waits for its input to end.
HOLDER = """
import sys
from pathlib import Path
from temperature_site.dev.embedded_postgres.server import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1])).start()
print("holding", flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    # pytest's own folders are closed to other users, PostgreSQL's among them, and long.
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        yield Path(folder) / "postgres"


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(directory, SMALL)
    server.start()
    yield server
    server.stop()


def answer(server: EmbeddedPostgres, question: str) -> str:
    connection = psycopg2.connect(server.url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            ((value,),) = cursor.fetchall()
            return str(value)
    finally:
        connection.close()


def hold(directory: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holding\n"
    return holder


def is_of(process: psutil.Process, directory: Path) -> bool:
    try:
        return str(directory) in process.cmdline()
    except psutil.Error:
        return False


def postmaster_id(directory: Path) -> int:
    return int((directory / "postmaster.pid").read_text().splitlines()[0])


def test_a_started_server_answers_and_a_stopped_one_is_gone(server: EmbeddedPostgres) -> None:
    assert answer(server, "SELECT current_database()") == "temperature"
    assert answer(server, "SHOW listen_addresses") == ""

    server.stop()

    assert not server.is_running()
    assert [process for process in psutil.process_iter() if is_of(process, server.directory)] == []


def test_starting_and_stopping_twice_is_the_same_as_once(server: EmbeddedPostgres) -> None:
    assert server.start() is server

    server.stop()
    server.stop()

    assert not server.is_running()


def test_data_survives_a_restart(server: EmbeddedPostgres, directory: Path) -> None:
    connection = psycopg2.connect(server.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 7 AS number")
    connection.close()
    server.stop()

    again = EmbeddedPostgres(directory, SMALL).start()

    assert answer(again, "SELECT number FROM kept") == "7"
    again.stop()


def test_a_second_process_finds_the_running_server_and_leaves_it_running(
    server: EmbeddedPostgres, directory: Path
) -> None:
    before = postmaster_id(directory)

    holder = hold(directory)
    holder.communicate()

    assert holder.returncode == 0
    assert postmaster_id(directory) == before
    assert answer(server, "SELECT 1") == "1"


def test_the_last_process_stops_a_server_that_another_has_started(server: EmbeddedPostgres, directory: Path) -> None:
    holder = hold(directory)
    server.stop()
    assert running_postmaster(directory) is not None

    holder.communicate()

    assert running_postmaster(directory) is None


def test_a_killed_holder_does_not_keep_the_server_running(server: EmbeddedPostgres, directory: Path) -> None:
    holder = hold(directory)
    holder.kill()
    holder.wait()

    server.stop()

    assert running_postmaster(directory) is None


def test_a_file_of_a_killed_server_does_not_prevent_the_start(server: EmbeddedPostgres, directory: Path) -> None:
    os.kill(postmaster_id(directory), signal.SIGKILL)
    wait_until_gone(directory)
    server.stop()
    assert (directory / "postmaster.pid").exists()

    again = EmbeddedPostgres(directory, SMALL).start()

    assert answer(again, "SELECT 1") == "1"
    again.stop()


def test_a_file_naming_another_process_does_not_prevent_the_start(server: EmbeddedPostgres, directory: Path) -> None:
    lines = (directory / "postmaster.pid").read_text().splitlines()
    server.stop()
    lines[0] = str(os.getpid())
    (directory / "postmaster.pid").write_text("\n".join(lines))

    again = EmbeddedPostgres(directory, SMALL).start()

    assert answer(again, "SELECT 1") == "1"
    assert postmaster_id(directory) != os.getpid()
    again.stop()


def test_a_directory_too_long_for_a_socket_gets_one_elsewhere(directory: Path) -> None:
    long = directory.parent / ("x" * LONGEST_SOCKET_PATH) / "it's a folder" / "postgres"

    server = EmbeddedPostgres(long, SMALL).start()

    assert server.socket_directory != long
    assert answer(server, "SELECT 1") == "1"
    server.stop()
    assert not server.socket_directory.exists()


def test_a_configured_folder_may_hold_quotes_and_spaces() -> None:
    assert "unix_socket_directories = '\"/a b/it''s\"'" in render({}, Path("/a b/it's"))


def wait_until_gone(directory: Path) -> None:
    deadline = time.monotonic() + 10
    while running_postmaster(directory) is not None:
        assert time.monotonic() < deadline, "the server outlives its SIGKILL"
        time.sleep(0.05)


def test_a_server_that_alone_was_killed_is_started_again(server: EmbeddedPostgres, directory: Path) -> None:
    assert not server.restart_if_ended()
    os.kill(postmaster_id(directory), signal.SIGKILL)

    wait_until_gone(directory)
    assert server.restart_if_ended()

    assert answer(server, "SELECT 1") == "1"
