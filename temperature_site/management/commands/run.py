"""Run the whole system in one terminal, as `make run` does."""

import errno
import fcntl
import io
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import IO

import psycopg2
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import connections
from typing_extensions import override

from temperature_site.conf.services import EMBEDDED_ENGINE
from temperature_site.dev.embedded_postgres.server import EmbeddedPostgresError, shared_server
from temperature_site.dev.processes import Processes, stop_marked

DEMO_CUSTOMERS = 10
# The process of the Procfile that only the demo needs.
SIMULATOR = "simulator"
REACHABLE_SECONDS = 60
DATABASE_CHECK_SECONDS = 1.0


class Command(BaseCommand):
    """Prepare the database, then run the processes of a Procfile until Ctrl+C."""

    help = (
        "Run web, worker, beat, simulator and, unless configured, PostgreSQL and the broker. Ctrl+C stops all of them."
    )

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--procfile", default="Procfile", help="The processes to run; Procfile.dev reloads them.")

    @override
    def handle(self, *args: object, **options: object) -> None:
        self.procfile = settings.BASE_DIR / str(options["procfile"])
        if not self.procfile.is_file():
            raise CommandError(f"There is no file {self.procfile}.")
        listen_to_signals()
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Keeps the order with the processes' lines when the output goes into a file.
            sys.stdout.reconfigure(line_buffering=True)
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        run_lock = take_run_lock(settings.DATA_DIR)
        try:
            stopped = stop_marked(str(settings.DATA_DIR))
            if stopped:
                self.stdout.write(f"Stopped {stopped} processes that an earlier run left behind.")
            require_free_ports()
            code = self.run_processes(self.prepare())
        finally:
            self.stop_database()
            run_lock.close()
        sys.exit(code)

    def prepare(self) -> str:
        """Bring database and static files up to date; return how to sign in."""
        if is_database_embedded():
            self.stdout.write("Starting PostgreSQL")
            shared_server(settings.DATA_DIR / "postgres")
        call_command("migrate", verbosity=0, interactive=False, stdout=self.stdout)
        call_command("ensure_schedule", stdout=self.stdout)
        self.stdout.write("Collecting static files")
        call_command("collectstatic", verbosity=0, interactive=False, stdout=self.stdout)
        sign_in = Echo(self.stdout)
        if settings.DEMO:
            call_command("load_demo", stdout=sign_in)
        elif not User.objects.exists():
            sign_in.write("Nobody can sign in yet: create an account with `python manage.py createsuperuser`\n")
        connections.close_all()
        return sign_in.getvalue()

    def run_processes(self, sign_in: str) -> int:
        """Run the processes and return the exit code."""
        # A customer polled before the simulator listens would be retried minutes later only.
        processes = Processes(settings.DATA_DIR, first=SIMULATOR, is_first_ready=is_simulator_listening)
        processes.add_procfile(self.procfile, process_environment(), without=() if settings.DEMO else (SIMULATOR,))
        threading.Thread(target=announce, args=(processes, sign_in), daemon=True).start()
        is_over = threading.Event()
        keeper = threading.Thread(target=keep_database_running, args=(processes, is_over), daemon=True)
        if is_database_embedded():
            keeper.start()
        try:
            return processes.run()
        finally:
            is_over.set()
            if keeper.is_alive():
                keeper.join()

    def stop_database(self) -> None:
        """Stop the embedded server if this process started it."""
        connections.close_all()
        if is_database_embedded() and shared_server.cache_info().currsize:
            self.stdout.write("Stopping PostgreSQL")
            shared_server(settings.DATA_DIR / "postgres").stop()


MAIL_FOLDER = "mail"


class Echo(io.StringIO):
    """A buffer that also passes on what is written."""

    def __init__(self, output: OutputWrapper) -> None:
        super().__init__()
        self._output = output

    @override
    def write(self, text: str) -> int:
        self._output.write(text, ending="")
        return super().write(text)


def is_database_embedded() -> bool:
    """Return whether the settings use the embedded server."""
    return bool(settings.DATABASES["default"]["ENGINE"] == EMBEDDED_ENGINE)


def listen_to_signals() -> None:
    """Exit cleanly on a signal until the processes run; a closed terminal means SIGTERM throughout."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def stop_as_terminated(number: int, frame: FrameType | None) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop_as_terminated)


def take_run_lock(data_dir: Path) -> IO[str]:
    """Allow one run at a time on a data directory. The kernel releases the lock of a killed run."""
    file = (data_dir / "run.lock").open("a+")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise CommandError(
            f"The system is already running with {data_dir}. Stop it, or set DATA_DIR and ports."
        ) from error
    return file


def require_free_ports() -> None:
    """Raise CommandError naming the setting of a port that is in use."""
    ports = {settings.PORT: "PORT"}
    if settings.DEMO:
        ports |= {settings.SIMULATOR_PORT + n: "SIMULATOR_PORT" for n in range(DEMO_CUSTOMERS)}
    if settings.DEMO and len(ports) <= DEMO_CUSTOMERS:
        raise CommandError(
            f"PORT {settings.PORT} is among the simulator's {DEMO_CUSTOMERS} ports from {settings.SIMULATOR_PORT} on."
        )
    for port, setting in ports.items():
        if not is_port_free(port):
            raise CommandError(f"Port {port} is used by another program. Set {setting} to use another port.")


def is_port_free(port: int) -> bool:
    """Return whether the port can be bound; raise CommandError if the address cannot."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.BIND, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise CommandError(f"Cannot listen on {settings.BIND}:{port}: {error.strerror}.") from error
    return True


def is_simulator_listening() -> bool:
    """Return whether every simulated customer accepts connections."""
    return all(is_listening(settings.SIMULATOR_PORT + n) for n in range(DEMO_CUSTOMERS))


def is_listening(port: int) -> bool:
    """Return whether something accepts connections on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def process_environment() -> dict[str, str]:
    """Return this process's environment with the settings that it was started with."""
    given = {name: str(getattr(settings, name)) for name in ("DATA_DIR", "PORT", "SIMULATOR_PORT", "DEMO", "DEBUG")}
    own = {
        "PYTHONUNBUFFERED": "1",
        # Celery warns about running as root; in a container there may be no other user.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
    }
    if settings.DEMO and not settings.EMAIL_URL:
        # Nothing leaves this machine: mails of the demo are files that can be read.
        own["EMAIL_URL"] = f"filemail:///{settings.DATA_DIR / MAIL_FOLDER}"
    return {**os.environ, **given, **own}


def announce(processes: Processes, sign_in: str) -> None:
    """Print the address and sign-in as soon as the web process answers."""
    deadline = time.monotonic() + REACHABLE_SECONDS
    while time.monotonic() < deadline:
        if is_web_answering():
            line = "-" * 72
            where = f"Temperature Monitoring System: http://localhost:{settings.PORT}"
            processes.announce(
                "\n".join([line, where, *sign_in.strip().splitlines(), "Ctrl+C stops everything.", line])
            )
            return
        time.sleep(0.2)
    processes.announce(f"The web process does not answer on port {settings.PORT} yet; see its lines above.")


def keep_database_running(processes: Processes, is_over: threading.Event) -> None:
    """Start the embedded server again when it alone has ended: the processes connect to it as before."""
    server = shared_server(settings.DATA_DIR / "postgres")
    while not is_over.wait(DATABASE_CHECK_SECONDS):
        try:
            if server.restart_if_ended():
                processes.announce("PostgreSQL had ended and was started again.")
        except (EmbeddedPostgresError, psycopg2.Error, OSError) as error:
            processes.announce(f"PostgreSQL has ended and cannot be started again yet: {error}")


def is_web_answering() -> bool:
    """Return whether the web process answers at all."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.PORT}/ping", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True  # any answer will do
    except OSError:
        return False
