"""Read settings under one environment after another, each in a process of its own.

The process that this module runs imports what the settings import, once, and forks for every environment: starting
Python and importing Celery each time takes ten times as long.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

BASE_DIR = Path(__file__).resolve().parents[3]
SETTINGS = {"DJANGO_SETTINGS_MODULE": "temperature_site.settings"}
END_SECONDS = 10
# None of them reads the environment when it is imported. One that is missing here is imported by each fork.
IMPORTED_ONCE = (
    "django_stubs_ext",
    "environ",
    "temperature_site.conf.accounts",
    "temperature_site.conf.environment",
    "temperature_site.conf.logging",
    "temperature_site.conf.memory",
    "temperature_site.conf.rest_api",
    "temperature_site.conf.secret_key",
    "temperature_site.conf.services",
    "temperature_site.dev.folder_broker",
)


@dataclass(frozen=True)
class Ended:
    """How a process that read settings has ended: on success its output is JSON."""

    returncode: int
    stdout: str
    stderr: str


def settings_under(environment: dict[str, str], *names: str) -> Ended:
    """Read settings in a process of their own, under nothing but this environment."""
    process = _reader()
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("The process has no pipes.")
    process.stdin.write(json.dumps([environment, names]) + "\n")
    process.stdin.flush()
    return Ended(**json.loads(process.stdout.readline()))


@cache
def _reader() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        env={"PATH": os.environ["PATH"], **SETTINGS},
        cwd=BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    """Close its standard input, at which it ends."""
    process.communicate(timeout=END_SECONDS)


def main() -> None:
    """Answer every line of the standard input, an environment and the settings' names."""
    for name in IMPORTED_ONCE:
        importlib.import_module(name)
    if SETTINGS["DJANGO_SETTINGS_MODULE"] in sys.modules:
        raise RuntimeError("The settings have been read before the first environment was given.")
    for line in sys.stdin:
        environment, names = json.loads(line)
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            if not (child := os.fork()):
                _read(environment, names, output, errors)
            _, status = os.waitpid(child, 0)
            output.seek(0)
            errors.seek(0)
            answer = (os.waitstatus_to_exitcode(status), output.read(), errors.read())
        sys.stdout.write(json.dumps(dict(zip(("returncode", "stdout", "stderr"), answer, strict=True))) + "\n")
        sys.stdout.flush()


def _read(environment: dict[str, str], names: Sequence[str], output: IO[str], errors: IO[str]) -> None:
    """Print the settings, as a program would that is started under this environment; end the process."""
    from django.conf import settings

    os.dup2(output.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    path = os.environ["PATH"]
    os.environ.clear()
    os.environ.update({"PATH": path, **SETTINGS, **environment})
    code = 1
    try:
        sys.stdout.write(json.dumps({name: getattr(settings, name) for name in names}, default=str))
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
