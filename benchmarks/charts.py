"""Charts of what the benchmarks have measured: values as shares of their targets, and curves over sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from benchmarks.measuring.results import Line

CHART_JS = Path(__file__).parents[1] / "static" / "vendor" / "chartjs" / "chart.umd.min.js"
WIDTH, LINE_HEIGHT, CURVE_HEIGHT, MARGIN = 1_000, 16, 360, 90
MET, MISSED = "#2f9e68", "#b3261e"
COLOURS = ("#0b5c8f", "#8a5a00", "#2f9e68", "#b3261e", "#6f42c1")
HTML = (
    """<body style="margin:0;background:#fff"><div style="width:{width}px;height:{height}px"><canvas></canvas></div>"""
)
DRAW = "config => { new Chart(document.querySelector('canvas'), config); }"

TARGETS, TARGETS_TITLE = "benchmarks-targets", "Results as shares of their targets: up to 1 is within, cut off at 3"

Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over a size. `pattern` finds the size in the name of a line as `x`, and what else it is of as `series`."""

    title: str
    benchmark: str
    pattern: str
    x: str
    y: str


CURVES = {
    "benchmarks-polling": Curve(
        "Lateness of polls",
        "polling_rate at scale",
        r"(?P<x>[\d,]+) sources .*: (?P<series>p95 lateness)",
        "sources",
        "s",
    ),
    "benchmarks-polling-cpu": Curve(
        "CPU of a poll",
        "polling_rate at scale",
        r"(?P<x>[\d,]+) sources .*: (?P<series>CPU of a poll)",
        "sources",
        "ms",
    ),
    "benchmarks-reading": Curve(
        "Responses a second at 16 connections, as ratios to ping",
        "rest_api at scale",
        r"(?P<series>[^,]+), 16 connections, (?P<x>[\d,]+) readings",
        "readings",
        "of ping",
    ),
    "benchmarks-storing": Curve(
        "Storing a batch on top of many readings",
        "growth at scale",
        r"(?P<series>[\d,]+ rows) on top of (?P<x>[\d,]+)",
        "readings",
        "times the time on top of the fewest",
    ),
}


def draw(lines: Mapping[str, Sequence[Line]], folder: Path, browser: Browser) -> dict[str, str]:
    """Draw the charts for which there are lines; return their titles by the names of the pictures."""
    targets = [(name, line) for name, each in lines.items() for line in each if _share(line) is not None]
    _draw(browser, folder / f"{TARGETS}.png", _targets(targets), MARGIN + LINE_HEIGHT * len(targets))
    titles = {TARGETS: TARGETS_TITLE}
    for name, curve in CURVES.items():
        if points := _points(lines.get(curve.benchmark, ()), curve):
            _draw(browser, folder / f"{name}.png", _curve(curve, points), CURVE_HEIGHT)
            titles[name] = curve.title
    return titles


def _draw(browser: Browser, path: Path, config: Config, height: int) -> None:
    page = browser.new_page(viewport={"width": WIDTH, "height": height})
    page.set_content(HTML.format(width=WIDTH, height=height))
    page.add_script_tag(path=CHART_JS)
    page.evaluate(DRAW, config)
    page.screenshot(path=path)
    page.close()


def _share(line: Line) -> float | None:
    """Return the value as a share of its target, at least the other way round; None without a target to divide by."""
    if line.at_most:
        return max(line.value, 0.0) / line.at_most
    if line.at_least and line.value > 0:
        return line.at_least / line.value
    return None


def _targets(lines: Sequence[tuple[str, Line]]) -> Config:
    shares = [_share(line) or 0.0 for _, line in lines]
    colours = [MET if line.verdict == "pass" else MISSED for _, line in lines]
    return {
        "type": "bar",
        "data": {
            "labels": [f"{benchmark}: {line.name}" for benchmark, line in lines],
            "datasets": [{"data": shares, "backgroundColor": colours}],
        },
        "options": _options(TARGETS_TITLE, indexAxis="y")
        | {"scales": {"y": {"ticks": {"autoSkip": False, "font": {"size": 10}}}, "x": {"min": 0, "max": 3}}},
    }


def _points(lines: Sequence[Line], curve: Curve) -> dict[str, list[dict[str, float]]]:
    """Return the points of each series."""
    series: dict[str, list[dict[str, float]]] = {}
    for line in lines:
        if found := re.fullmatch(curve.pattern, line.name):
            x = float(found["x"].replace(",", ""))
            series.setdefault(found["series"], []).append({"x": x, "y": line.value})
    return series


def _curve(curve: Curve, series: dict[str, list[dict[str, float]]]) -> Config:
    return {
        "type": "line",
        "data": {
            "datasets": [
                {"label": name, "data": points, "borderColor": colour, "backgroundColor": colour}
                for (name, points), colour in zip(series.items(), COLOURS, strict=False)
            ]
        },
        "options": _options(curve.title, has_legend=True)
        | {
            "scales": {
                "x": {"type": "logarithmic", "title": {"display": True, "text": curve.x}},
                "y": {"min": 0, "title": {"display": True, "text": curve.y}},
            }
        },
    }


def _options(title: str, *, has_legend: bool = False, **others: str) -> Config:
    plugins = {"legend": {"display": has_legend}, "title": {"display": True, "text": title}}
    return {"animation": False, "responsive": True, "maintainAspectRatio": False, "plugins": plugins} | others
