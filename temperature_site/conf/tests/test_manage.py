"""`manage.py` ends with a sentence, not a traceback, if the reason is outside of the system."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.running_system import wait_until


def start(data_dir: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command with a database that does not answer."""
    environment = {
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
        "DATA_DIR": str(data_dir),
        "SECRET_KEY": "a key of a test, long enough for the settings to be valid",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("options", "shows_traceback"), [([], False), (["--traceback"], True)])
def test_a_database_that_is_down_is_named(tmp_path: Path, options: list[str], *, shows_traceback: bool) -> None:
    process = start(tmp_path, "status", *options)

    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert ("Traceback" in errors) is shows_traceback
    assert errors.startswith("The database cannot be used: connection to server") is not shows_traceback


def test_ctrl_c_ends_a_command_quietly(tmp_path: Path) -> None:
    output = tmp_path / "data"
    process = start(tmp_path, "generate_data", "--rows", "5000000", "--output", str(output), "--no-progress")
    wait_until("it writes", output.exists, seconds=60)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert errors == ""
    assert process.returncode == 128 + signal.SIGINT
