"""Parsing the common forms of a body, in CPU time, as a multiple of what a library takes to read the same bytes.

The reference of CSV is polars reading every cell as text, that of JSON is the standard library's decoder: neither knows
what a reading is. CPU time of all threads, because other work on the machine affects it least.
"""

from __future__ import annotations

import io
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl

from benchmarks.measuring.results import Results
from ingestion.parsing.parse import parse_body
from ingestion.sources.mapping import FieldMapping

CSV_ROWS, JSON_ROWS = 100_000, 20_000
UNITS = 60
ROUNDS = 9
START = datetime(2026, 3, 1, tzinfo=UTC)
RECEIVED_AT = datetime(2026, 11, 1, tzinfo=UTC)
OTHER_FIELDS = FieldMapping(readings_path="readings", unit_field="id", temperature_field="temp", time_field="at")
# The largest permitted multiples: those before bodies of many more forms were read.
TARGETS = {"common CSV": 3.0, "default JSON": 2.1, "other JSON": 56.0}


def run(results: Results) -> None:
    """Measure each form beside its reference."""
    results.title(f"CPU time, medians of {ROUNDS}; a CSV of {CSV_ROWS:,} rows, JSON of {JSON_ROWS:,}")
    default = json.dumps({"readings": [_default_row(number) for number in range(JSON_ROWS)]}).encode()
    other = json.dumps({"readings": [_other_row(number) for number in range(JSON_ROWS)]}).encode()
    forms: tuple[tuple[str, bytes, FieldMapping, int, Callable[[bytes], object]], ...] = (
        ("common CSV", _csv(), FieldMapping(), CSV_ROWS, lambda body: pl.read_csv(body, infer_schema_length=0)),
        ("default JSON", default, FieldMapping(), JSON_ROWS, json.loads),
        ("other JSON", other, OTHER_FIELDS, JSON_ROWS, json.loads),
    )
    for name, body, mapping, rows, reference in forms:
        seconds, ratio = _measure(body, mapping, rows, reference)
        took = f"{seconds * 1e3:.0f} ms"
        results.add(name, ratio, "of reference", at_most=TARGETS[name], note=took)


def _measure(
    body: bytes, mapping: FieldMapping, rows: int, reference: Callable[[bytes], object]
) -> tuple[float, float]:
    """Return the seconds of parsing, and their ratio to those of the reference."""

    def parse() -> None:
        batches = parse_body(io.BytesIO(body), mapping, received_at=RECEIVED_AT)
        assert sum(len(batch.readings) for batch in batches) == rows

    parse()
    pairs = [(_cpu_seconds(lambda: reference(body)), _cpu_seconds(parse)) for _ in range(ROUNDS)]
    reference_seconds, seconds = (statistics.median(each) for each in zip(*pairs, strict=True))
    return seconds, seconds / reference_seconds


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _instant(number: int) -> str:
    return f"{START + timedelta(minutes=number // UNITS, microseconds=number):%Y-%m-%dT%H:%M:%S.%f}"


def _default_row(number: int) -> dict[str, str | float]:
    unit = number % UNITS
    return {
        "customer_id": "BENCH",
        "facility_id": f"facility_{unit % 2}",
        "unit_id": f"unit_{unit}",
        "unit_name": f"Freezer {unit}",
        "temperature": round(-70 - number % 977 / 100, 2),
        "temperature_unit": "C",
        "timestamp": _instant(number),
        "sensor_id": f"sensor_{unit}",
        "set_temperature": -70.0,
        "size": 328,
        "size_unit": "sqm",
        "city": "Oxford",
        "country": "England",
        "quality_score": 0.9487,
    }


def _other_row(number: int) -> dict[str, str | float]:
    return {"id": f"unit_{number % UNITS}", "temp": round(-70 - number % 977 / 100, 2), "at": _instant(number)}


def _csv() -> bytes:
    lines = [",".join(_default_row(0)), *(",".join(map(str, _default_row(row).values())) for row in range(CSV_ROWS))]
    return "\n".join([*lines, ""]).encode()
