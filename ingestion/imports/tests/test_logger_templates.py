"""Each logger's sample file is recognised by its template and read with exact results."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.imports.logger_templates import TEMPLATES
from ingestion.imports.mappings import choose_mapping
from ingestion.models import FileImport, ImportFile
from ingestion.parsing.parse import parse_body
from readings.units.scales import from_celsius
from tests.factories import CustomerFactory

SAMPLES = Path(__file__).parent / "loggers"
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "sources.md"
RECEIVED_AT = datetime(2026, 12, 24, 12, tzinfo=UTC)
# Readings as "month-day hour:minute number scale"; "none" without a measurement.
EXPECTED = {
    "hobo.csv": ("Onset HOBO (HOBOware)", ["01-13 09:00 31.44 F", "01-13 22:00 41 F"]),
    "hobo_mx.csv": ("Onset HOBO MX (HOBOconnect)", ["11-23 09:00 4.48 C", "11-23 09:05 4.52 C"]),
    "easylog.txt": ("Lascar EasyLog EL-USB", ["08-03 10:00 4.5 C", "08-13 10:05 5 C", "08-13 10:10 5.5 C"]),
    "testo.csv": ("Testo Saveris, testo 174 and 184", ["11-23 10:00 4.5 C", "11-23 10:15 4.7 C"]),
    "logtag.csv": ("LogTag Analyzer", ["11-23 10:00 -18.4 C", "11-23 10:10 -18.1 C"]),
    "elitech.txt": ("Elitech LogElitech", ["11-23 10:00 4.5 C", "11-23 10:10 4.6 C"]),
    "temptale.csv": ("Sensitech TempTale", ["11-23 10:00 41 F", "11-23 10:30 50.9 F"]),
    "dickson.csv": ("Dickson DicksonOne", ["11-23 10:00 38.3 F"]),
    "madgetech.csv": ("MadgeTech", ["11-23 10:00 -80.25 C", "11-23 10:01 -80.5 C"]),
    "rotronic.xls": ("Rotronic HW4 and HygroLog", ["11-23 10:00 4.5 C", "11-23 10:10 4.6 C"]),
    "efento.csv": ("Efento Cloud", ["11-23 10:00 4.5 C", "11-23 10:06 4.6 C"]),
    "ebro.csv": ("ebro Winlog", ["11-23 10:00 4.5 C", "11-23 10:20 -0.25 C"]),
    "tinytag.csv": ("Gemini Tinytag Explorer", ["01-01 00:00 4.5 C", "01-01 00:10 -4.6 C"]),
    "ibutton.csv": (
        "Maxim iButton (OneWireViewer)",
        ["12-04 11:04 36.551 C", "12-04 11:14 97.8 F", "12-14 11:24 42.079 C"],
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_loggers_file_is_recognised_and_read_exactly(name: str) -> None:
    content = (SAMPLES / name).read_bytes()
    file = ImportFile(file_import=FileImport(customer=CustomerFactory()), name=name)
    if name == "hobo_mx.csv":
        file.time_zone = "Europe/Berlin"

    choose_mapping(file, content)
    batches = list(parse_body(io.BytesIO(content), file.mapping, file_name=name, received_at=RECEIVED_AT))

    template, expected = EXPECTED[name]
    assert file.mapping_origin == f"Template “{template}”"
    assert [row.message for batch in batches for row in batch.rejected] == []
    assert [
        f"{at:%m-%d %H:%M} {'none' if celsius is None else f'{round(from_celsius(celsius, scale), 6):g}'} {scale}"
        for batch in batches
        for at, celsius, scale in batch.readings.select("recorded_at", "temperature_c", "scale").rows()
    ] == expected


def test_every_template_has_a_sample_and_is_documented() -> None:
    names = {template.name for template in TEMPLATES}

    assert names == {template for template, _ in EXPECTED.values()}
    documentation = DOCUMENTATION.read_text(encoding="utf-8")
    assert [name for name in names if name not in documentation] == []
