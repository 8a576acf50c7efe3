"""What a run has measured: each line is printed with its target and verdict, and all of them are written as JSON.

The file keeps what other runs have measured, so that `make bench`, `make bench-scale` and single benchmarks share it.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

PATH = Path(__file__).parents[1] / "results.json"

Verdict = Literal["pass", "short", ""]


@dataclass(frozen=True, slots=True)
class Line:
    """A measured value. One target at most is given; without any, there is no verdict."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the target is met."""
        if self.at_most is None and self.at_least is None:
            return ""
        is_met = (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )
        return "pass" if is_met else "short"

    @property
    def target(self) -> str:
        """The target in words, "" without one."""
        if self.at_most is not None:
            return f"at most {number(self.at_most)}"
        return "" if self.at_least is None else f"at least {number(self.at_least)}"

    def __str__(self) -> str:
        """Return the line as it is printed."""
        verdict = f"{self.target}: {self.verdict}" if self.verdict else ""
        text = f"  {self.name:<58}{number(self.value):>12} {self.unit:<14}{verdict:<26}{self.note}"
        return text.rstrip()


def number(value: float) -> str:
    """Return the value with three significant digits, or all digits before the decimal point."""
    digits = next((digits for bound, digits in ((100, 0), (10, 1), (1, 2)) if abs(value) >= bound), 3)
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Results:
    """The lines of one benchmark as they come."""

    def __init__(self, benchmark: str) -> None:
        self.benchmark = benchmark
        self.lines: list[Line] = []
        self._began = datetime.now(UTC)
        self._load = os.getloadavg()[0]

    def title(self, text: str) -> None:
        """Print what is measured."""
        print(f"{self.benchmark}: {text}", flush=True)

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        note: str = "",
    ) -> None:
        """Print a value, and keep it."""
        line = Line(name, float(value), unit, at_most, at_least, note)
        self.lines.append(line)
        print(line, flush=True)

    def write(self, path: Path = PATH) -> None:
        """Write the lines to the file in place of what an earlier run of this benchmark has measured."""
        written = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        written[self.benchmark] = {
            "measured_on": f"{self._began:%Y-%m-%d}",
            "seconds": round((datetime.now(UTC) - self._began).total_seconds()),
            "cores": os.cpu_count(),
            "load_before": round(self._load, 1),
            "python": platform.python_version(),
            "lines": [asdict(line) | {"verdict": line.verdict} for line in self.lines],
        }
        path.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def summary(lines: list[Line]) -> str:
    """Return how many lines meet their targets, and which do not."""
    short = [line.name for line in lines if line.verdict == "short"]
    met = sum(line.verdict == "pass" for line in lines)
    return f"Targets met: {met}. Short: {len(short)}" + (f" ({'; '.join(short)})." if short else ".")
