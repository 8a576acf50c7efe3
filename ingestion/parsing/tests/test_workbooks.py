"""Workbooks as Excel writes them are read like their CSV exports; hostile ones are refused and take no memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime

import openpyxl
import pytest

from ingestion.parsing.body import sheet_reader
from ingestion.parsing.results import UnreadableBody
from ingestion.parsing.tests.parsing import parse
from ingestion.sources.mapping import FieldMapping


def workbook(*rows: Sequence[object], first_sheet_is_empty: bool = False) -> bytes:
    """Return a workbook with these rows in its last sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    if first_sheet_is_empty:
        sheet = book.create_sheet("Readings")
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def with_part(book: bytes, name: str, content: bytes) -> bytes:
    """Return the workbook with this content of one of its parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for each in {*old.namelist()} - {name}:
            new.writestr(each, old.read(each))
        new.writestr(name, content)
    return file.getvalue()


def sheet_xml(cells: str) -> bytes:
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{namespace}"><sheetData>{cells}</sheetData></worksheet>'.encode()


# Cells have no time zone.
READINGS = (
    ["Logger 7"],
    ["Time", "Temperature (°F)", "Humidity (%)"],
    [datetime(2026, 11, 23, 10, 0, tzinfo=UTC).replace(tzinfo=None), 41, 50.5],
    [datetime(2026, 11, 23, 10, 15, tzinfo=UTC).replace(tzinfo=None), 40.1, 51],
)


@pytest.mark.parametrize("first_sheet_is_empty", [False, True])
def test_a_workbook_is_read_like_a_loggers_file(first_sheet_is_empty: bool) -> None:
    parsed = parse(workbook(*READINGS, first_sheet_is_empty=first_sheet_is_empty), file_name="Fridge 3.xlsx")

    assert parsed.rejected == []
    assert [
        (row["unit_code"], row["recorded_at"], round(row["temperature_c"], 6), row["scale"]) for row in parsed.rows
    ] == [
        ("Fridge 3", datetime(2026, 11, 23, 10, 0, tzinfo=UTC), 5.0, "F"),
        ("Fridge 3", datetime(2026, 11, 23, 10, 15, tzinfo=UTC), 4.5, "F"),
    ]


def test_texts_and_local_times_in_cells_are_read_by_the_mapping() -> None:
    rows = ["Zeit", "Fühler"], ["23.11.2026 11:00", "-18,5"], ["23.11.2026 11:15", "-18,6"]
    mapping = FieldMapping(
        time_field="Zeit",
        temperature_field="Fühler",
        scale="C",
        decimal_mark=",",
        time_format="%d.%m.%Y %H:%M",
        time_zone="Europe/Berlin",
    )
    parsed = parse(workbook(*rows), mapping, file_name="Kammer.xlsx")
    assert [(row["recorded_at"].hour, row["temperature_c"]) for row in parsed.rows] == [(10, -18.5), (10, -18.6)]


def refused(book: bytes) -> UnreadableBody:
    with pytest.raises(UnreadableBody) as caught:
        parse(book, file_name="Logger.xlsx")
    return caught.value


def test_a_workbook_without_cells_is_refused() -> None:
    assert "an Excel workbook (XLSX), which cannot be read: it has no cells" in refused(workbook()).message


def test_a_sheet_of_two_cells_in_opposite_corners_is_refused() -> None:
    """A reader that holds the area between them would need hundreds of gigabytes."""
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    error = refused(with_part(workbook(*READINGS), "xl/worksheets/sheet1.xml", sheet_xml(cells)))
    assert (error.reason, "Excel workbook (XLSX)" in error.message) == ("too_large", True)


def test_long_texts_that_many_cells_refer_to_are_refused() -> None:
    book = with_part(
        workbook(["Time", "Temperature"]),
        "xl/sharedStrings.xml",
        b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>'
        + b"".join(b"%07d" % number for number in range(40_000))
        + b"</t></si></sst>",
    )
    cells = "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>' for row in range(1, 20_001))
    assert refused(with_part(book, "xl/worksheets/sheet1.xml", sheet_xml(cells))).reason == "too_large"


def declaring(book: bytes, size: int, declared: int) -> bytes:
    """Return the workbook with another size of a part in its headers."""
    return book.replace(size.to_bytes(4, "little"), declared.to_bytes(4, "little"))


def test_a_workbook_that_unpacks_to_gigabytes_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_reader, "__file__", "/nowhere")  # reading it would fail otherwise
    book = with_part(workbook(*READINGS), "xl/worksheets/sheet1.xml", b" " * 123_457)
    error = refused(declaring(book, 123_457, 3 << 30))
    assert error.reason == "too_large"
    assert "an Excel workbook (XLSX) that holds 3,22" in error.message


def test_a_workbook_that_unpacks_to_more_than_it_declares_is_refused() -> None:
    book = with_part(workbook(*READINGS), "xl/worksheets/sheet1.xml", b" " * 20_000_003)
    assert refused(declaring(book, 20_000_003, 1_000)).reason in ("too_large", "unsupported_file")


def test_an_old_workbook_is_named_in_the_message() -> None:
    error = refused(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    assert "The file is an old Excel workbook (XLS), which cannot be read" in error.message
