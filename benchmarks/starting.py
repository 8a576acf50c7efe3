"""How long the demo takes from its first start until ten customers have readings, as somebody who tries it waits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from django.conf import settings

from benchmarks.measuring.cpu_time import elapsed_seconds
from benchmarks.measuring.results import Results
from benchmarks.measuring.server import free_port
from temperature_site.dev.demo import CUSTOMERS

# Of the benchmark's own database and key: the demo brings its own.
NOT_SET = ("DATABASE_URL", "SECRET_KEY", "LOG_LEVEL")
# A minute where `manage.py check` takes 2.4 seconds.
MAX_RATIO = 25.0
DEADLINE_SECONDS = 300.0
STOP_SECONDS = 60.0
FIRST_SIMULATOR_PORT = 21_000


def run(results: Results) -> None:
    """Measure a first start, after a command that only loads the project."""
    results.title("`manage.py run` with an empty data directory, elapsed time")
    with tempfile.TemporaryDirectory(prefix="bench-start-", ignore_cleanup_errors=True) as folder:
        # The user that runs PostgreSQL for root needs the way to its files.
        Path(folder).chmod(0o755)
        environment = _environment(Path(folder) / "data")
        check = elapsed_seconds(lambda: _check(environment))
        seconds = _first_start_seconds(environment, Path(folder) / "output.txt")
    took = f"{seconds:.1f} s"
    results.add("ten customers have readings", seconds / check, "of a check", at_most=MAX_RATIO, note=took)


def _environment(data_dir: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_SET}
    ports = {"PORT": str(free_port()), "SIMULATOR_PORT": str(FIRST_SIMULATOR_PORT)}
    return inherited | ports | {"DATA_DIR": str(data_dir), "DEMO": "true"}


def _check(environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _first_start_seconds(environment: dict[str, str], output: Path) -> float:
    start = time.monotonic()
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run"],
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        while _loaded_customers(output) < len(CUSTOMERS):
            if process.poll() is not None or time.monotonic() > start + DEADLINE_SECONDS:
                raise RuntimeError(f"The demo did not start in time:\n{output.read_text()}")
            time.sleep(0.1)
        return time.monotonic() - start
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _loaded_customers(output: Path) -> int:
    return len(set(re.findall(r"delivery loaded .* customer=(\w+)", output.read_text())))
