"""`manage.py run` at a terminal: everything starts, and Ctrl+C leaves nothing behind."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest
from django.conf import settings

from temperature_site.dev.processes import marked_processes
from temperature_site.management.commands.run import DEMO_CUSTOMERS
from tests.databases import migrated_template, own_database
from tests.running_system import PROCFILE, wait_until

pytestmark = pytest.mark.xdist_group("running system")

STOP_SECONDS = 30
# Where it does not matter which processes run: those that start and stop soonest.
FEW = ("web", "beat")
WITHOUT_DEMO = {"DEMO": "false", "SECRET_KEY": "of-this-test-" + "x" * 50}
# Variables to remove: the tests' own database and key must not reach the run.
NOT_SET = ("DATABASE_URL", "SECRET_KEY", "DEMO", "CELERY_BROKER_URL", "SOURCE_ALLOWED_NETWORKS")


@dataclass
class Run:
    """A run and where it keeps its data; `process` leads the group that a terminal sends Ctrl+C to."""

    data_dir: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def text(self) -> str:
        return output_of(self.data_dir).read_text()

    def is_answering(self) -> bool:
        assert self.process.poll() is None, self.text()
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=2) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False

    def is_announced(self) -> bool:
        assert self.process.poll() is None, self.text()
        return f"http://localhost:{self.port}" in self.text()

    def loaded_customers(self) -> set[str]:
        """Return the customers for which the workers have logged a loaded delivery."""
        return set(re.findall(r"delivery loaded .* customer=(\w+)", self.text()))

    def press_ctrl_c(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_SECONDS)

    def left_behind(self) -> list[str]:
        """Return what is still running: marked processes, and the database server with its children."""
        named = [process for process in psutil.process_iter() if str(self.data_dir) in " ".join(words(process))]
        return [" ".join(words(process)) for process in [*marked_processes(str(self.data_dir)), *named]]


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def without_own_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in NOT_SET}


def output_of(data_dir: Path) -> Path:
    return data_dir.with_name("output.txt")


def free_ports(count: int) -> int:
    """Return the first of some random neighbouring free ports: other test runs look for some, too."""
    candidates = range(15_000, 32_000, 20)
    for first in random.sample(candidates, len(candidates)):
        if all(is_free(first + n) for n in range(count)):
            return first
    raise AssertionError("no free ports")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # Short, and open to the user that runs PostgreSQL for root, which pytest's own folders are not.
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        yield Path(folder).resolve() / "data"


@pytest.fixture
def database_url(django_db_setup: None) -> Iterator[str]:
    """Return a database that is migrated already, on which a run starts sooner than on its own."""
    with own_database(migrated_template()) as database:
        yield database.url


def procfile_of(data_dir: Path, names: Sequence[str]) -> Path:
    """Write a Procfile of the named processes only, beside the data directory."""
    path = data_dir.with_name("Procfile")
    path.write_text("".join(f"{name}: env --chdir={settings.BASE_DIR} {PROCFILE[name]}\n" for name in names))
    return path


@pytest.fixture
def start_run(data_dir: Path) -> Iterator[Callable[..., Run]]:
    simulator_port = free_ports(DEMO_CUSTOMERS + 1)
    port = simulator_port + DEMO_CUSTOMERS
    given = {"DATA_DIR": str(data_dir), "PORT": str(port), "SIMULATOR_PORT": str(simulator_port), "WEB_WORKERS": "1"}
    environment = without_own_settings() | given
    runs: list[Run] = []

    def start(names: Sequence[str] = (), **more: str) -> Run:
        options = ["--procfile", str(procfile_of(data_dir, names))] if names else []
        with output_of(data_dir).open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "run", *options],
                cwd=settings.BASE_DIR,
                env=environment | more,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        runs.append(Run(data_dir, port, environment | more, process))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.wait(STOP_SECONDS)


def sources_of(run: Run) -> list[dict[str, str | None]]:
    """Asked as in a second terminal: a command of its own finds the embedded database of the run."""
    completed = subprocess.run(
        [sys.executable, "manage.py", "status", "--json"],
        cwd=settings.BASE_DIR,
        env=run.environment,
        capture_output=True,
        check=True,
        timeout=30,
    )
    sources: list[dict[str, str | None]] = json.loads(completed.stdout)["sources"]
    return sources


def test_it_collects_from_every_customer_and_ctrl_c_leaves_nothing_behind(start_run: Callable[[], Run]) -> None:
    run = start_run()
    wait_until("the web process answers", run.is_answering, seconds=120)
    wait_until("it says where to look", run.is_announced, seconds=10)
    assert "Sign in as" in run.text()
    # How long that may take is measured by the benchmark `starting`: here other tests use the same cores.
    wait_until("ten customers have readings", lambda: len(run.loaded_customers()) == 10, seconds=60)
    assert len({source["customer"] for source in sources_of(run) if source["last_success_at"]}) == 10

    assert run.press_ctrl_c() == 0

    assert run.left_behind() == []


def test_after_a_kill_the_next_run_cleans_up_and_continues(start_run: Callable[..., Run]) -> None:
    killed = start_run(FEW, **WITHOUT_DEMO)
    wait_until("the web process answers", killed.is_answering, seconds=120)
    killed.process.kill()
    killed.process.wait()
    assert killed.left_behind() != []

    run = start_run(FEW, **WITHOUT_DEMO)
    wait_until("it says where to look", run.is_announced, seconds=120)

    assert "that an earlier run left behind" in run.text()
    assert run.press_ctrl_c() == 0
    assert run.left_behind() == []


def test_when_one_process_dies_everything_stops_with_an_exit_code(
    start_run: Callable[..., Run], database_url: str
) -> None:
    run = start_run(FEW, DATABASE_URL=database_url, **WITHOUT_DEMO)
    wait_until("the web process answers", run.is_answering, seconds=120)
    beat = next(process for process in marked_processes(str(run.data_dir)) if "beat" in words(process))

    beat.kill()

    assert run.process.wait(STOP_SECONDS) == 128 + signal.SIGKILL
    assert run.left_behind() == []


def test_without_the_demo_it_loads_none_of_it(start_run: Callable[..., Run], database_url: str) -> None:
    run = start_run((*FEW, "simulator"), DATABASE_URL=database_url, **WITHOUT_DEMO)
    wait_until("it says where to look", run.is_announced, seconds=120)

    assert "Sign in as" not in run.text()
    assert "create an account with `python manage.py createsuperuser`" in run.text()
    assert not [process for process in marked_processes(str(run.data_dir)) if "runsimulator" in words(process)]
    assert sources_of(run) == []

    assert run.press_ctrl_c() == 0
    assert run.left_behind() == []


def test_a_missing_key_is_reported_in_a_sentence(data_dir: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "manage.py", "run"],
        cwd=settings.BASE_DIR,
        env=without_own_settings() | {"DATA_DIR": str(data_dir), "DEMO": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert completed.returncode == 1
    assert completed.stderr.startswith("SECRET_KEY must be set together with DATABASE_URL or DEMO=false.")
    assert "Traceback" not in completed.stderr


def test_a_port_in_use_is_reported_before_anything_starts(start_run: Callable[[], Run], data_dir: Path) -> None:
    port = free_ports(1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        completed = subprocess.run(
            [sys.executable, "manage.py", "run"],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATA_DIR": str(data_dir), "PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    assert completed.returncode == 1
    assert f"Port {port} is used by another program. Set PORT to use another port." in completed.stderr
    assert not (data_dir / "postgres").exists()
