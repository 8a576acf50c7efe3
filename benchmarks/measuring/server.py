"""The web process as `make run` starts it, on a free port, for as long as a benchmark needs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

START_SECONDS = 120.0
STOP_SECONDS = 15.0


@contextmanager
def serving() -> Iterator[int]:
    """Serve the benchmark's database with gunicorn and yield the port."""
    with tempfile.TemporaryDirectory(prefix="bench-web-", ignore_cleanup_errors=True) as data_dir:
        port = free_port()
        environment = os.environ | {"PORT": str(port), "DATA_DIR": data_dir, "LOG_LEVEL": "WARNING", "DEMO": "true"}
        subprocess.run(
            [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"],
            cwd=settings.BASE_DIR,
            env=environment,
            check=True,
        )
        process = subprocess.Popen(  # noqa: S603  our own server
            [str(Path(sys.executable).with_name("gunicorn")), "temperature_site.wsgi"],
            cwd=settings.BASE_DIR,
            env=environment,
        )
        try:
            _wait_until_it_answers(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError("The web process did not answer in time.")
