"""The API tour in docs/api.md: its examples run in order, and it lists every path."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.live_api import LiveApi, live_api
from tests.rest_api.test_api_access import ROUTES

pytestmark = pytest.mark.xdist_group("tour")

TOUR = (settings.BASE_DIR / "docs" / "api.md").read_text()
SECONDS = 60


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    with live_api(tmp_path_factory.mktemp("tour")) as running:
        yield running


def examples(language: str, api: LiveApi) -> str:
    """Return all examples in the language as one program against the running API."""
    blocks = re.findall(rf"```{language}\n(.*?)```", TOUR, re.DOTALL)
    assert len(blocks) > 5
    return "\n".join(blocks).replace("http://localhost:8000", api.root)


def run(*command: str, program: str) -> str:
    result = subprocess.run(command, input=program, capture_output=True, text=True, timeout=SECONDS)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout


def test_the_shell_examples_run(api: LiveApi) -> None:
    output = run("bash", "-euo", "pipefail", program=examples("bash", api))
    assert '"received":2,"stored":1,"duplicates":0,"conflicts":0,"rejected":1' in output
    assert '"status":"degraded"' in output  # there is no worker
    assert 'temperature_readings_total{fate="stored"}' in output


def test_the_python_examples_run(api: LiveApi) -> None:
    output = run(sys.executable, "-", program=examples("python", api))
    assert "Pharma Corp A has 3 storage units" in output
    assert "Oxford Science Park" in output


def test_the_tour_lists_every_path_and_method() -> None:
    listed = {
        path: set(methods.split(", ")) for path, methods in re.findall(r"^\| `([^`]+)` \| ([A-Z, ]+) \|$", TOUR, re.M)
    }
    assert listed == {re.sub(r"<\w+:(\w+)>", r"{\1}", route) or "/": set(calls) for route, calls in ROUTES.items()}
