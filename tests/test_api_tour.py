"""The tour of the API: its examples run, one after the other, and it leaves no path out."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.live_api import LiveApi, live_api
from tests.test_api_access import ROUTES

pytestmark = pytest.mark.xdist_group("tour")

TOUR = (settings.BASE_DIR / "docs" / "api.md").read_text()
SECONDS = 60


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    with live_api(tmp_path_factory.mktemp("tour")) as running:
        yield running


def examples(language: str, api: LiveApi) -> str:
    """All examples in that language as one program, against the API that runs."""
    blocks = re.findall(rf"```{language}\n(.*?)```", TOUR, re.DOTALL)
    assert len(blocks) > 5
    return "\n".join(blocks).replace("http://localhost:8000", api.root)


def run(*command: str, program: str) -> str:
    done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_examples_in_the_shell_run(api):
    said = run("bash", "-euo", "pipefail", program=examples("bash", api))
    assert '"received":2,"stored":1,"duplicates":0,"conflicts":0,"rejected":1' in said
    assert '"status":"degraded"' in said  # no worker runs here, and /health says so
    assert 'temperature_readings_total{fate="stored"}' in said


def test_the_examples_in_python_run(api):
    said = run(sys.executable, "-", program=examples("python", api))
    assert "Pharma Corp A has 3 storage units" in said
    assert "Oxford Science Park" in said


def test_every_path_stands_in_the_tour_with_its_methods():
    written = {
        path: set(methods.split(", ")) for path, methods in re.findall(r"^\| `([^`]+)` \| ([A-Z, ]+) \|$", TOUR, re.M)
    }
    assert written == {re.sub(r"<\w+:(\w+)>", r"{\1}", route): set(calls) for route, calls in ROUTES.items()}
