"""The examples in docs/sources.md come to the readings they show, and every setting has one."""

from __future__ import annotations

import dataclasses
import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from ingestion.parsing.parse import parse_body
from ingestion.sources.mapping import FieldMapping
from readings.units.scales import from_celsius

PAGE = (Path(settings.BASE_DIR) / "docs" / "sources.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```example\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def mapping_of(lines: str) -> FieldMapping:
    """Return the mapping of an example's settings."""
    values: dict[str, object] = {}
    defaults = {field.name: field.default for field in dataclasses.fields(FieldMapping)}
    for name, text in (line.split(": ", 1) for line in lines.splitlines()):
        default = defaults[name]
        if isinstance(default, bool):
            values[name] = text == "true"
        elif isinstance(default, float):
            values[name] = float(text)
        elif isinstance(default, tuple):
            values[name] = tuple(part.strip() for part in text.split(","))
        else:
            values[name] = text
    return dataclasses.replace(FieldMapping(), **values)  # type: ignore[arg-type]  # typed by the defaults above


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_comes_to_its_readings(example: str) -> None:
    set_lines, body, result = re.split(r"^---\n", example, flags=re.MULTILINE)
    mapping = mapping_of(set_lines)
    data = io.BytesIO(body.encode(mapping.encoding or "utf-8"))

    batches = parse_body(data, mapping, received_at=datetime(2026, 11, 24, tzinfo=UTC), file_name="unit.txt")

    rows = [row for batch in batches for row in batch.readings.to_dicts()]
    shown = [
        f"{row['unit_code']} {row['sensor_code'].replace(' ', '_') or '-'} {row['recorded_at']:%Y-%m-%dT%H:%M:%S} "
        + ("none" if (celsius := row["temperature_c"]) is None else f"{from_celsius(celsius, row['scale']):g}")
        + f" {row['scale']}"
        for row in rows
    ]
    assert shown == result.splitlines()


def test_every_setting_has_an_example() -> None:
    used = {line.partition(":")[0] for example in EXAMPLES for line in example.partition("---")[0].splitlines()}

    assert {field.name for field in dataclasses.fields(FieldMapping)} - used == set()
