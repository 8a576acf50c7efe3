"""CSV bodies: layouts, encodings, invalid rows, cut-off and unreadable bodies."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace

import pytest

from ingestion.parsing.parse import parse_body
from ingestion.parsing.results import READING_SCHEMA
from ingestion.parsing.tests.parsing import (
    CSV_HEADER,
    DEFAULT_READING,
    DEFAULT_UNIT,
    RECEIVED_AT,
    csv_body,
    csv_row,
    parse,
    unreadable,
)
from ingestion.sources.mapping import FieldMapping

OLDER_HEADER = (
    "customer_id,facility_id,unit_id,temperature,timestamp,sensor_id,set_temperature,size,size_unit,"
    "city,country,quality_score,storage_room,degrees"
)


def test_the_common_layout_needs_no_mapping() -> None:
    parsed = parse(csv_body(csv_row()), content_type="text/csv")
    assert dict(parsed.readings.schema) == READING_SCHEMA
    row = parsed.row
    assert f"{row.pop('recorded_at'):%Y-%m-%dT%H:%M:%S.%f%z}" == "2026-11-23T10:11:11.123456+0000"
    assert row == {"row_number": 2, **DEFAULT_READING}
    assert parsed.rejected == []
    assert parsed.header == CSV_HEADER


def test_the_older_layout_needs_no_mapping() -> None:
    line = "A,facility_A_1,unit_A_1_1,14.0,2026-11-23 10:11:11,s1,23.0,328,sqm,Oxford,England,0.9,Deep Freeze 1,F"
    parsed = parse(f"{OLDER_HEADER}\n{line}\n")
    assert (parsed.row["temperature_c"], parsed.row["scale"]) == (-10.0, "F")
    assert parsed.units["facility_A_1", "unit_A_1_1"].unit_name == "Deep Freeze 1"


def test_a_unit_is_described_by_its_last_non_empty_values() -> None:
    parsed = parse(
        csv_body(
            csv_row(unit_name="Old name", city="Oxford"),
            csv_row(unit_name="New name", city=""),
            csv_row(unit_name="", city="", size="330"),
        )
    )
    described = replace(DEFAULT_UNIT, unit_name="New name", size_value=330.0)
    assert parsed.units == {("facility_A_1", "unit_A_1_1"): described}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_do_not_matter(ending: str) -> None:
    body = csv_body(csv_row(), csv_row(quality_score="")).replace("\n", ending)
    parsed = parse(body)
    assert parsed.temperatures == [-74.31, -74.31]
    assert parsed.readings["quality_score"].to_list() == [0.9487, 1.0]
    assert parsed.batches[0].raw_row(2) == csv_row()


def test_a_byte_order_mark_is_removed() -> None:
    assert parse(b"\xef\xbb\xbf" + csv_body(csv_row()).encode()).temperatures == [-74.31]


def test_utf_16_is_detected_by_its_byte_order_mark() -> None:
    assert parse(csv_body(csv_row()).encode("utf-16")).temperatures == [-74.31]


def test_latin_1_is_detected() -> None:
    body = csv_body(csv_row(unit_name="Kühlraum"), csv_row(unit_id="Kühlraum 2"))
    for encoding in ("utf-8", "latin-1", "cp1252"):
        parsed = parse(body.encode(encoding))
        assert parsed.units["facility_A_1", "unit_A_1_1"].unit_name == "Kühlraum"
        assert parsed.rows[1]["unit_code"] == "Kühlraum 2"


def test_a_declared_encoding_is_enforced() -> None:
    body = "timestamp,unit_id,temperature\n2026-11-23 10:11,Морозилка,1\n"
    assert parse(body.encode("cp1251"), FieldMapping(encoding="cp1251")).row["unit_code"] == "Морозилка"
    error = unreadable("é".encode("latin-1") + csv_body().encode(), FieldMapping(encoding="utf-8"))
    assert error.reason == "undecodable"


def test_semicolons_and_decimal_commas_are_detected() -> None:
    body = "timestamp;unit_id;temperature;quality_score\n2026-11-23 10:11;a;-0,5;0,9\n2026-11-23 10:12;a;-0.5;1\n"
    parsed = parse(body)
    assert parsed.temperatures == [-0.5, -0.5]
    assert parsed.readings["quality_score"].to_list() == [0.9, 1.0]


def test_a_declared_decimal_mark_is_the_only_one() -> None:
    body = "timestamp\tunit_id\ttemperature\n2026-11-23 10:11\ta\t-0,5\n2026-11-23 10:12\ta\t-0.5\n"
    parsed = parse(body, FieldMapping(decimal_mark=","))
    assert parsed.temperatures == [-0.5]
    assert parsed.reasons == {3: "not_a_number"}


@pytest.mark.parametrize("text", ["0.125", "-0.125", "+0.250 °C", "0.125,5", "00.125"])
def test_a_point_behind_a_leading_zero_marks_no_thousands(text: str) -> None:
    """Among decimal commas it is the wrong mark: 0.125 must not become 125 °C."""
    parsed = parse(f"timestamp;unit_id;temperature\n2026-11-23 10:11;a;{text}\n", FieldMapping(decimal_mark=","))
    assert (parsed.temperatures, parsed.reasons) == ([], {2: "not_a_number"})


@pytest.mark.parametrize("scale", ["F", "K"])
@pytest.mark.parametrize("text", ["1.234", "1.234 °{scale}"])
def test_a_point_among_decimal_commas_is_not_taken_for_a_mark_of_thousands_on_any_scale(text: str, scale: str) -> None:
    """In °C a thousand is above the limit, but 1,234 °F is not: a fridge would be stored at 668 °C."""
    body = f"timestamp;unit_id;temperature;scale\n2026-11-23 10:11;a;{text.format(scale=scale)};{scale}\n"
    parsed = parse(body, FieldMapping(decimal_mark=","))
    assert (parsed.temperatures, parsed.reasons) == ([], {2: "not_a_number"})

    tenths = parse(body, FieldMapping(decimal_mark=",", factor=0.1))
    assert len(tenths.temperatures) == 1


def test_gzip_is_decompressed() -> None:
    compressed = gzip.compress(csv_body(csv_row()).encode())
    assert parse(compressed, file_name="export.csv.gz").temperatures == [-74.31]
    assert parse(compressed + compressed).temperatures == [-74.31] * 2  # a second member; its header is a rejected row


def test_a_body_that_is_not_seekable_can_be_parsed() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation

    body = Pipe(csv_body(csv_row()).encode())
    (batch,) = parse_body(body, FieldMapping(), received_at=RECEIVED_AT)
    assert len(batch.readings) == 1


def test_quoted_cells_may_contain_delimiters_and_quotes() -> None:
    parsed = parse(csv_body(csv_row(unit_name='"Room 5, ""left"""'), csv_row()))
    assert parsed.temperatures == [-74.31, -74.31]
    parsed = parse(csv_body(csv_row(unit_name='"Room 5, ""left"""')))
    assert parsed.units["facility_A_1", "unit_A_1_1"].unit_name == 'Room 5, "left"'


def test_a_stray_quote_affects_one_row() -> None:
    parsed = parse(csv_body(csv_row(unit_name='"Room'), csv_row(unit_name='5" pipe'), csv_row()))
    assert parsed.reasons == {2: "wrong_number_of_columns"}
    assert parsed.rejection.raw == csv_row(unit_name='"Room')
    assert len(parsed.rows) == 2


def test_blank_lines_are_skipped_but_counted() -> None:
    parsed = parse(csv_body("", csv_row(), "   ", ",,,,,,,,,,,,,", csv_row(temperature="ERR"), ""))
    assert [row["row_number"] for row in parsed.rows] == [3]
    assert parsed.reasons == {6: "not_a_number"}


def test_a_summary_line_is_rejected() -> None:
    parsed = parse(csv_body(csv_row(), "Total rows: 1"))
    assert parsed.reasons == {3: "wrong_number_of_columns"}
    assert parsed.rejection.raw == "Total rows: 1"


def test_missing_and_extra_columns_that_cancel_out_are_both_detected() -> None:
    parsed = parse(csv_body(csv_row(), csv_row() + ",x", csv_row().rpartition(",")[0], csv_row()))
    assert parsed.reasons == {3: "wrong_number_of_columns", 4: "wrong_number_of_columns"}
    assert [row["row_number"] for row in parsed.rows] == [2, 5]


@pytest.mark.parametrize("cell", ["", "  ", "ERR", "---"])
def test_a_null_temperature_is_a_reading_without_a_measurement(cell: str) -> None:
    parsed = parse(csv_body(csv_row(temperature=cell)), FieldMapping(null_values=("ERR", "---")))
    assert parsed.temperatures == [None]
    assert parsed.rejected == []


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"unit_id": ""}, "no_unit"),
        ({"unit_id": "x" * 101}, "code_too_long"),
        ({"unit_id": "a\x00b"}, "not_text"),
        ({"sensor_id": "a\x1bb"}, "not_text"),
        ({"timestamp": " "}, "no_time"),
        ({"timestamp": "soon"}, "unreadable_time"),
        ({"timestamp": "05/11/2026 10:00"}, "unreadable_time"),
        ({"timestamp": "2026-11-25T12:00:01"}, "future_time"),
        ({"timestamp": "1999-12-31T23:59:59"}, "too_old"),
        ({"timestamp": "2000-01-01T00:00:00"}, "clock_reset"),
        ({"temperature": "ERR"}, "not_a_number"),
        ({"temperature": "1_000"}, "not_a_number"),
        ({"temperature": "0x10"}, "not_a_number"),
        ({"temperature": "NaN"}, "not_finite"),
        ({"temperature": "-inf"}, "not_finite"),
        ({"temperature": "1e400"}, "not_finite"),
        ({"temperature": "-273.16"}, "below_absolute_zero"),
        ({"temperature": "-459.68", "temperature_unit": "F"}, "below_absolute_zero"),
        ({"temperature": "1000.01"}, "above_1000_c"),
        ({"temperature_unit": "R"}, "unknown_scale"),
        ({"temperature_unit": ""}, "unknown_scale"),
        ({"quality_score": "95"}, "bad_quality"),
        ({"quality_score": "fine"}, "bad_quality"),
        ({"quality_score": "nan"}, "bad_quality"),
    ],
)
def test_only_an_invalid_row_is_rejected_with_its_verbatim_text(cells: dict[str, str], reason: str) -> None:
    bad = csv_row(**cells)
    parsed = parse(csv_body(csv_row(), bad, csv_row()))
    assert parsed.reasons == {3: reason}
    assert parsed.rejection.raw == bad
    assert parsed.rejection.message.endswith(".")
    assert [row["row_number"] for row in parsed.rows] == [2, 4]


@pytest.mark.parametrize(
    ("cells", "celsius"),
    [
        ({"temperature": "-459.67", "temperature_unit": "F"}, -273.15),
        ({"temperature": "0", "temperature_unit": "K"}, -273.15),
        ({"temperature": "1273.15", "temperature_unit": "K"}, pytest.approx(1000.0)),
        ({"temperature": "+5.", "temperature_unit": "degrees C"}, 5.0),
        ({"temperature": " .5e1 "}, 5.0),
        ({"timestamp": "2026-11-25T12:00:00"}, -74.31),
        ({"timestamp": "2000-02-01T00:00:00"}, -74.31),
    ],
)
def test_extreme_but_valid_temperatures_are_accepted(cells: dict[str, str], celsius: object) -> None:
    assert parse(csv_body(csv_row(**cells))).temperatures == [celsius]


def test_a_status_is_lower_case_and_of_limited_length() -> None:
    body = "unit_id,timestamp,temperature,equipment_status\n" + "".join(
        f"a,2026-11-23 10:1{position},1,{status}\n"
        for position, status in enumerate(["Defrost", "", "x" * 33, "x" * 32])
    )
    parsed = parse(body)
    assert parsed.readings["equipment_status"].to_list() == ["defrost", "normal", "x" * 32]
    assert parsed.reasons == {4: "status_too_long"}


def test_a_body_cut_off_within_a_row_keeps_the_complete_rows() -> None:
    body = csv_body(csv_row(), csv_row(timestamp="2026-11-23 10:12:00"))
    for length in range(len(CSV_HEADER) + len(csv_row()) + 3, len(body)):
        parsed = parse(body[:length], is_cut_off=True)
        assert len(parsed.rows) == 1
        assert parsed.reasons == {3: "cut_off"}
        assert parsed.rejection.raw == body[:length].split("\n")[2]
        assert parsed.is_cut_off


def test_a_cut_off_body_is_detected_by_missing_columns() -> None:
    parsed = parse(csv_body(csv_row()) + "A,facility_A_1,unit")
    assert parsed.reasons == {3: "cut_off"}
    assert parsed.is_cut_off


def test_an_unterminated_last_line_is_complete_unless_the_transport_reports_a_cut() -> None:
    parsed = parse(csv_body(csv_row(), csv_row())[:-1])
    assert len(parsed.rows) == 2
    assert not parsed.is_cut_off


def test_a_body_cut_off_between_rows_loses_nothing_but_is_reported() -> None:
    parsed = parse(csv_body(csv_row()), is_cut_off=True)
    assert len(parsed.rows) == 1
    assert parsed.rejected == []
    assert parsed.is_cut_off


def test_a_truncated_gzip_is_a_cut_off_body() -> None:
    lines = [csv_row(temperature=str(position)) for position in range(200)]
    compressed = gzip.compress(csv_body(*lines).encode())
    parsed = parse(compressed[:-20])
    assert parsed.is_cut_off
    assert parsed.temperatures == [float(position) for position in range(len(parsed.rows))]
    assert unreadable(compressed[:100] + b"!!!!" + compressed[104:]).reason in ("undecodable",)


@pytest.mark.parametrize("body", ["", "\n", " \r\n\n", CSV_HEADER, CSV_HEADER + "\n"])
def test_a_body_without_rows_is_an_empty_batch(body: str) -> None:
    (batch,) = parse(body).batches
    assert batch.readings.is_empty()
    assert batch.rejected == []


def test_a_cut_off_header_gives_an_empty_batch() -> None:
    parsed = parse(CSV_HEADER[:40], is_cut_off=True)
    assert parsed.rows == []
    assert parsed.is_cut_off


@pytest.mark.parametrize("body", ["No data available", "a,b,c\n1,2,3\n", "timestamp,unit_id\n2026-11-23 10:11,a\n"])
def test_a_body_without_a_header_is_unreadable(body: str) -> None:
    error = unreadable(body)
    assert error.reason == "no_header"
    assert "column" in error.message


@pytest.mark.parametrize("body", ["<!DOCTYPE html><html></html>", "  \n<html>", "<HTML>"])
def test_html_is_not_data(body: str) -> None:
    assert unreadable(body, content_type="text/csv").reason == "html_instead_of_data"


def test_a_body_over_the_limit_is_unreadable_compressed_or_not() -> None:
    body = csv_body(*[csv_row()] * 1000).encode()
    assert unreadable(body, max_bytes=10_000).reason == "too_large"
    assert unreadable(gzip.compress(body), max_bytes=10_000).reason == "too_large"


def test_an_endless_line_is_unreadable() -> None:
    assert unreadable((CSV_HEADER + "\n").encode() + b"x" * (20 << 20)).reason == "too_large"


def test_large_files_are_split_into_batches_with_their_own_raw_rows() -> None:
    lines = [csv_row(temperature=str(position)) for position in range(1, 8)]
    parsed = parse(csv_body(*lines), batch_rows=3)
    assert [len(batch.readings) for batch in parsed.batches] == [3, 3, 1]
    assert [batch.raw_row(number) for batch in parsed.batches for number in batch.readings["row_number"]] == lines


@pytest.mark.parametrize(
    "lines",
    [
        ['#1,"2026-11-23 10:00",4.5', "#2,2026-11-23 10:00,5.5"],
        ["#1,2026-11-23 10:00,4.5", "#2,2026-11-23 10:00,5.5,"],
        ['#1,"2026-11-23 10:00",4.5', '#2,"2026-11-23 10:00",5.5'],
    ],
)
@pytest.mark.parametrize("end", ["\n", ""])
def test_rows_that_begin_with_a_hash_are_no_comments(lines: list[str], end: str) -> None:
    parsed = parse("unit_id,time,temperature\n" + "\n".join(lines) + end)
    assert [(row["unit_code"], row["temperature_c"]) for row in parsed.rows] == [("#1", 4.5), ("#2", 5.5)]


def test_an_incomplete_row_among_rows_that_begin_with_a_hash_is_rejected() -> None:
    rows = ["#1,2026-11-23 10:00", "#2,2026-11-23 10:05,4.5", "#3,2026-11-23 10:10"]
    assert parse("\n".join(["unit_id,time,temperature", *rows, ""])).reasons == dict.fromkeys(
        (2, 4), "wrong_number_of_columns"
    )


def test_comments_between_rows_are_passed_over() -> None:
    lines = ["time,temperature", "# logger 7", "2026-11-23 10:00,4.5", "# battery, door, and fuse replaced"]
    parsed = parse("\n".join(lines), default_unit="a")
    assert (parsed.temperatures, parsed.rejected) == ([4.5], [])
