"""The page of the benchmarks shows every line, and its charts are drawn."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.charts import draw
from benchmarks.measuring.results import Line
from benchmarks.report import page_of

POLLING = "polling_rate at scale"
LINES = {
    POLLING: [
        Line("1,000 sources for 2 minutes: p95 lateness", 1.2, "s", at_most=5.0),
        Line("2,500 sources for 2 minutes: p95 lateness", 6.0, "s", at_most=5.0, note="p50 2 s"),
        Line("1,000 sources for 2 minutes: missed slots", 0.0, "slots", at_most=0.0),
    ]
}
RUN = {"measured_on": "2026-03-01", "seconds": 9, "cores": 2, "load_before": 0.1, "python": "3.11"}


def test_every_line_is_on_the_page(tmp_path: Path, browser: Browser) -> None:
    page = page_of({POLLING: RUN}, LINES, draw(LINES, tmp_path, browser))
    assert "Targets met: 2. Short: 1 (2,500 sources for 2 minutes: p95 lateness)." in page
    assert "| 2,500 sources for 2 minutes: p95 lateness | 6 s | at most 5 | short | p50 2 s |" in page
    assert "Measured on 2026-03-01 in 9 s with Python 3.11; the load was 0.1 before." in page


def test_there_are_charts_of_targets_and_of_what_was_measured_at_several_sizes(
    tmp_path: Path, browser: Browser
) -> None:
    titles = draw(LINES, tmp_path, browser)
    assert list(titles) == ["benchmarks-targets", "benchmarks-polling"]
    assert all((tmp_path / f"{name}.png").stat().st_size > 5_000 for name in titles)
