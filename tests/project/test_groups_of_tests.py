"""Tests of a group run in one worker of pytest-xdist: whole systems, and browsers, one after the other.

With pytest 9.2, pytest-xdist 3.8 ignores groups without a word. Then several systems share the cores, miss their
deadlines now and then, and what a module prepares once is prepared in each worker.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GROUPED = """
import pytest

pytestmark = pytest.mark.xdist_group("running system")

@pytest.mark.parametrize("number", range(6))
def test_of_the_group(number):
    assert number < 6
"""


def test_tests_of_a_group_share_a_worker(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"test_grouped_{number}.py").write_text(GROUPED)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "--verbose", "-n", "2", "--dist", "loadgroup", "-p", "no:django", "."]
    completed = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )

    assert completed.returncode == pytest.ExitCode.OK, completed.stdout
    workers = re.findall(r"\[(gw\d)\] .*PASSED", completed.stdout)
    assert len(workers) == 12
    assert len(set(workers)) == 1
