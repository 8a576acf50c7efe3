"""The page and the charts of what the benchmarks have measured last: `python -m benchmarks.report`.

It writes `docs/benchmarks.md` and its charts from `benchmarks/results.json`, with the Chart.js of the site and Debian's
package chromium, or another Chromium given by CHROMIUM.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.charts import draw
from benchmarks.measuring.results import PATH, Line, number, summary

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
INTRODUCTION = """# Benchmarks

Written by `make bench` and `make bench-scale`: each benchmark as it was measured last, on {cores} cores. Most figures
are ratios within one run, because machines differ. [Performance](performance.md) explains them.

{summary}
"""
CHART = "\n![{title}](pictures/{name}.png)\n"
BENCHMARK = """
## {name}

Measured on {measured_on} in {seconds} s with Python {python}; the load was {load_before} before.

| line | result | target | verdict | |
| --- | ---: | ---: | --- | --- |
"""

# The lines of a benchmark by its name.
Lines = dict[str, list[Line]]


def main() -> int:
    """Write the page and draw the charts; return the exit code."""
    if not PATH.exists():
        sys.stderr.write(f"{PATH} does not exist: run make bench first.\n")
        return 1
    if not Path(CHROMIUM).exists():
        sys.stderr.write(f"{CHROMIUM} not found: install Debian's package chromium, or set CHROMIUM.\n")
        return 1
    runs: dict[str, dict[str, Any]] = json.loads(PATH.read_text(encoding="utf-8"))
    lines: Lines = {name: [_line(line) for line in run["lines"]] for name, run in runs.items()}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        titles = draw(lines, DOCS / "pictures", browser)
        browser.close()
    PAGE.write_text(page_of(runs, lines, titles), encoding="utf-8")
    return 0


def _line(written: dict[str, Any]) -> Line:
    return Line(**{name: value for name, value in written.items() if name != "verdict"})


def page_of(runs: dict[str, dict[str, Any]], lines: Lines, titles: dict[str, str]) -> str:
    """Return the page; `titles`: of the charts, by the names of their pictures."""
    text = INTRODUCTION.format(
        cores=max(run["cores"] for run in runs.values()),
        summary=summary([line for each in lines.values() for line in each]),
    )
    text += "".join(CHART.format(name=name, title=title) for name, title in titles.items())
    for name, run in runs.items():
        text += BENCHMARK.format(name=name, **{key: value for key, value in run.items() if key != "lines"})
        text += "".join(
            f"| {line.name} | {number(line.value)} {line.unit} | {line.target} | {line.verdict} | {line.note} |\n"
            for line in lines[name]
        )
    return text


if __name__ == "__main__":
    sys.exit(main())
