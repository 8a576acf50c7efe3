"""Measure importing CSV and JSON of 1,000,000 rows against a bare COPY of the same rows, and the memory it takes.

The import runs in a process of its own, whose peak resident memory Linux reports.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection

from benchmarks import storing
from benchmarks.measuring.cpu_time import elapsed_seconds
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.results import Results
from readings.storage.reading_batch import ReadingBatch

ROWS = 1_000_000
# One alone varies by a fifth.
COPIES = 3
TARGETS = {"csv": 0.45, "json": 0.40}
MOST_MEBIBYTES = 300
HEADER = (
    "customer_id,facility_id,unit_id,unit_name,temperature,temperature_unit,timestamp,sensor_id,"
    "set_temperature,size,size_unit,city,country,quality_score"
)


def run(results: Results) -> None:
    """Measure the import command as a ratio to storing the same rows."""
    unit_sensors = make_units(storing.UNITS)
    columns = storing.columns_of(ROWS, unit_sensors)
    copy_seconds = statistics.median(_copy_seconds(columns) for _ in range(COPIES))
    results.title(f"{ROWS:,} rows, from bytes to committed; ratios to a COPY of the same rows")
    results.add("COPY", ROWS / copy_seconds, "rows/s")
    with tempfile.TemporaryDirectory() as folder:
        for suffix, write in (("csv", _write_csv), ("json", _write_json)):
            path = Path(folder) / f"readings.{suffix}"
            write(path)
            with connection.cursor() as cursor:
                cursor.execute(storing.EMPTY)
            _report(results, suffix, path, copy_seconds)


def _copy_seconds(columns: ReadingBatch) -> float:
    with connection.cursor() as cursor:
        cursor.execute(storing.MAKE_BARE)
    return elapsed_seconds(lambda: storing.bare_copy(columns))


def _report(results: Results, suffix: str, path: Path, copy_seconds: float) -> None:
    """Import the file twice, first into empty tables, and add its lines."""
    new_seconds, peak_mebibytes, stored = _import(path)
    again_seconds, _, _ = _import(path)
    speed = f"{ROWS / new_seconds:,.0f} rows/s; {stored:,} rows stored"
    results.add(suffix, copy_seconds / new_seconds, "of COPY", at_least=TARGETS[suffix], note=speed)
    speed = f"{ROWS / again_seconds:,.0f} rows/s"
    results.add(f"{suffix} again, all duplicates", copy_seconds / again_seconds, "of COPY", note=speed)
    results.add(f"{suffix}, peak resident memory", peak_mebibytes, "MiB", at_most=MOST_MEBIBYTES)


def _write_csv(path: Path) -> None:
    with path.open("w") as file:
        file.write(HEADER + "\n")
        file.writelines(",".join(map(str, row.values())) + "\n" for row in _rows())


def _write_json(path: Path) -> None:
    with path.open("w") as file:
        file.write('{"readings": [')
        for number, row in enumerate(_rows()):
            file.write((", " if number else "") + json.dumps(row))
        file.write("]}")


def _rows() -> Iterator[dict[str, str | float]]:
    for number in range(ROWS):
        unit = number % storing.UNITS
        instant = storing.START + timedelta(minutes=number // storing.UNITS, microseconds=number % 1_000_000)
        values = (
            *("BENCH", f"facility_{unit % 2}", f"unit_{unit}", f"Freezer {unit}"),
            *(round(-70 - number % 977 / 100, 2), "C", f"{instant:%Y-%m-%dT%H:%M:%S.%f}", f"sensor_{unit}"),
            *(-70.0, 328, "sqm", "Oxford", "England", 0.9487),
        )
        yield dict(zip(HEADER.split(","), values, strict=True))


def _import(path: Path) -> tuple[float, float, int]:
    """Import the file; return the seconds without starting the process, its peak memory in MiB, and the rows stored."""
    starting_seconds, _, _ = _manage("check")
    seconds, peak_mebibytes, printed = _manage("import_readings", "BENCH", str(path))
    counted = re.search(r"(\d+) stored", printed)
    return seconds - starting_seconds, peak_mebibytes, int(counted[1]) if counted else 0


def _manage(*arguments: str) -> tuple[float, float, str]:
    """Run a management command; return its seconds, peak resident memory in MiB, and output."""
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    # Read while it runs: afterwards the system reports values that include this process, which it was forked from.
    peak_kibibytes = 0
    while process.poll() is None:
        peak_kibibytes = max(peak_kibibytes, _peak_kibibytes(process.pid))
        time.sleep(0.02)
    printed, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"manage.py {arguments[0]} failed.")
    return time.perf_counter() - start, peak_kibibytes / 1024, printed


def _peak_kibibytes(pid: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0
