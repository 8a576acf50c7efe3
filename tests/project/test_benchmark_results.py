"""Lines of benchmarks have verdicts, and are kept beside those of other runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.measuring.results import Line, Results, number, summary

LINES = [
    Line("1,000 sources for 2 minutes: p95 lateness", 1.2, "s", at_most=5.0),
    Line("2,500 sources for 2 minutes: p95 lateness", 6.0, "s", at_most=5.0),
    Line("COPY", 123_456.0, "rows/s"),
]


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (Line("a", 5.0, "s", at_most=5.0), "pass"),
        (Line("a", 5.1, "s", at_most=5.0), "short"),
        (Line("a", 5.0, "s", at_least=5.0), "pass"),
        (Line("a", 4.9, "s", at_least=5.0), "short"),
        (Line("a", 0.0, "slots", at_most=0.0), "pass"),
        (Line("a", 1.0, "slots", at_most=0.0), "short"),
        (Line("a", 1.0, "s"), ""),
    ],
)
def test_a_line_is_within_its_target_or_short(line: Line, verdict: str) -> None:
    assert line.verdict == verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (123_456.7, "123,457"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (2.0, "2"),
        (0.0, "0"),
        (-3.21, "-3.21"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_run_replaces_its_own_lines_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    for name, value in (("storing", 1.0), ("parsing", 2.0), ("storing", 3.0)):
        results = Results(name)
        results.add("rows", value, "s", at_most=2.5)
        results.write(path)
    written = json.loads(path.read_text())
    assert {name: run["lines"][0]["value"] for name, run in written.items()} == {"storing": 3.0, "parsing": 2.0}
    assert [run["lines"][0]["verdict"] for run in written.values()] == ["short", "pass"]
    assert "at most 2.5: short" in capsys.readouterr().out


def test_the_summary_names_what_is_short() -> None:
    assert summary(LINES) == "Targets met: 1. Short: 1 (2,500 sources for 2 minutes: p95 lateness)."
