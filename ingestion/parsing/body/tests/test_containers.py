"""Encodings and containers are recognised, or the message names the setting; what is left out of them is noted."""

from __future__ import annotations

import codecs
import io
import zipfile
from datetime import datetime

import openpyxl
import pytest

from ingestion.parsing.tests.parsing import parse, unreadable
from ingestion.sources.mapping import FieldMapping

TABLE = "time,temperature (°C)\n2026-11-23 10:00:00,-18.5\n2026-11-23 10:15:00,-18.4\n"


def workbook(*sheets: tuple[str, float, str]) -> bytes:
    """Return a workbook with a reading on each sheet, given as title, temperature and visibility."""
    book = openpyxl.Workbook(write_only=True)
    for title, temperature, state in sheets:
        sheet = book.create_sheet(title)
        sheet.sheet_state = state
        sheet.append(["Time", "Temperature (°C)"])
        sheet.append([datetime(2026, 11, 23, 10), temperature])  # noqa: DTZ001  (as cells hold them)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF32_LE])
@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be"])
def test_utf_32_is_read(encoding: str, mark: bytes) -> None:
    mark = codecs.BOM_UTF32_BE if mark and encoding.endswith("be") else mark
    assert parse(mark + TABLE.encode(encoding), default_unit="u").temperatures == [-18.5, -18.4]


@pytest.mark.parametrize("encoding", ["cp037", "cp500"])
def test_ebcdic_is_named_and_read_with_its_encoding(encoding: str) -> None:
    body = TABLE.encode(encoding)
    assert "EBCDIC" in unreadable(body).message
    assert parse(body, FieldMapping(encoding=encoding), default_unit="u").temperatures == [-18.5, -18.4]


def test_names_that_are_not_utf_8_are_noted() -> None:
    body = "unit_id,time,temperature\nКамера,2026-11-23 10:00:00,-18.5\n".encode("cp1251")
    note = 'The body is not UTF-8 and was read as cp1252, for example "Êàìåðà". Set the encoding if that is wrong.'
    assert note in parse(body).notes
    assert note not in parse(body, FieldMapping(encoding="cp1251")).notes
    assert not any("cp1252" in text for text in parse(TABLE.encode("cp1252"), default_unit="u").notes)


def test_the_message_about_a_header_names_the_encoding_of_a_body_that_is_not_utf_8() -> None:
    assert "The encoding may have to be set" in unreadable("Время,Температура\n1,2\n".encode("cp1251")).message


def test_the_end_of_file_of_dos_is_no_row() -> None:
    parsed = parse(TABLE.encode() + b"\x1a", default_unit="u")
    assert (parsed.temperatures, parsed.rejected, parsed.is_cut_off) == ([-18.5, -18.4], [], False)


@pytest.mark.parametrize("padding", [b"", b"\0" * 50])
def test_a_number_in_which_the_body_ends_is_no_reading(padding: bytes) -> None:
    parsed = parse(TABLE.encode() + b"2026-11-23 10:30:00,-1" + padding, default_unit="u")
    assert parsed.temperatures == [-18.5, -18.4]
    assert parsed.is_cut_off


def test_the_first_visible_sheet_is_read_and_the_others_are_noted() -> None:
    book = workbook(("Old", 44.5, "hidden"), ("North", 4.5, "visible"), ("South", 5.5, "visible"))
    parsed = parse(book, default_unit="u", file_name="u.xlsx")
    assert parsed.temperatures == [4.5]
    assert (
        'Of several sheets "North" was read. Not read: "Old", "South". Import them as files of their own.'
        in parsed.notes
    )
    assert not any("sheet" in note for note in parse(workbook(("One", 4.5, "visible")), default_unit="u").notes)


def test_files_that_a_mac_adds_to_an_archive_are_no_tables() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("__MACOSX/._Freezer 1.csv", "\0\5")
        archive.writestr("Freezer 1.csv", TABLE)
    assert parse(data.getvalue(), file_name="x.zip").temperatures == [-18.5, -18.4]


def test_a_body_without_any_temperature_is_noted() -> None:
    note = "No row has a temperature. Check the temperature field, and whether a sheet has formulas without values."
    assert note in parse("time,temperature\n2026-11-23 10:00,\n", default_unit="u").notes
    assert note not in parse("time,temperature\n2026-11-23 10:00,\n2026-11-23 11:00,4\n", default_unit="u").notes


@pytest.mark.parametrize("last", ["5,", "5"])
def test_decimal_commas_are_noticed_beside_whole_temperatures(last: str) -> None:
    body = f"time,temperature,comment\n2026-11-23 10:00,4,5\n2026-11-23 10:01,-18,25\n2026-11-23 10:02,{last}\n"
    assert unreadable(body, default_unit="u").reason.value == "decimal_comma"
