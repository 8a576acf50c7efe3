"""A rejected row can be parsed again on its own once its cause is fixed."""

from __future__ import annotations

import json

import pytest

from ingestion.parsing.parse import parse_rejected_row
from ingestion.parsing.results import ParsedBatch
from ingestion.parsing.tests.parsing import RECEIVED_AT, Parsed, csv_body, csv_row, json_body, json_row, parse
from ingestion.sources.mapping import FieldMapping


def replay(parsed: Parsed, mapping: FieldMapping | None = None, *, default_unit: str = "") -> ParsedBatch:
    """Parse the only rejected row again, as row 7 of a replay."""
    return parse_rejected_row(
        parsed.rejection.raw,
        parsed.header,
        mapping or FieldMapping(),
        received_at=RECEIVED_AT,
        row_number=7,
        default_unit=default_unit,
    )


def raw_again(raw: str, header: str, mapping: FieldMapping | None = None) -> ParsedBatch:
    return parse_rejected_row(
        raw, header, mapping or FieldMapping(), received_at=RECEIVED_AT, row_number=0, default_unit=""
    )


@pytest.mark.parametrize("body", [csv_body(csv_row(temperature="ERR")), json_body(json_row(temperature="ERR"))])
def test_a_row_is_accepted_once_its_value_is_a_null_value(body: str) -> None:
    parsed = parse(body)
    again = replay(parsed)
    assert [(each.row_number, each.reason, each.raw) for each in again.rejected] == [
        (7, "not_a_number", parsed.rejection.raw)
    ]
    fixed = replay(parsed, FieldMapping(null_values=("ERR",)))
    assert fixed.rejected == []
    assert fixed.readings["row_number"].to_list() == [7]
    assert fixed.readings["temperature_c"].to_list() == [None]
    assert fixed.raw_row(7) == parsed.rejection.raw
    assert list(fixed.units) == [("facility_A_1", "unit_A_1_1")]


@pytest.mark.parametrize("body", [csv_body(csv_row(temperature="ERR")), json_body(json_row(temperature="ERR"))])
def test_a_row_keeps_its_number_even_if_that_is_zero(body: str) -> None:
    parsed = parse(body)
    again = raw_again(parsed.rejection.raw, parsed.header)
    assert [each.row_number for each in again.rejected] == [0]
    fixed = raw_again(parsed.rejection.raw, parsed.header, FieldMapping(null_values=("ERR",)))
    assert fixed.readings["row_number"].to_list() == [0]


def test_parsing_a_row_again_gives_the_same_result() -> None:
    for body in (csv_body(csv_row(), csv_row(temperature="")), json_body(json_row(), json_row(temperature=None))):
        parsed = parse(body)
        (batch,) = parsed.batches
        for position, row in enumerate(parsed.rows):
            again = raw_again(batch.raw_row(row["row_number"]), batch.row_context)
            assert (
                again.readings.drop("row_number").rows()
                == parsed.readings.drop("row_number").rows()[position : position + 1]
            )


def test_a_loggers_row_is_parsed_with_the_day_order_and_unit_of_its_file() -> None:
    text = "Note: x\nTime;Temp °F\n05/11/2026 10:11;14,5\n23/11/2026 10:11;14\n"
    parsed = parse(text, FieldMapping(skip_until_header=True), file_name="Freezer 1.csv")
    (batch,) = parsed.batches
    again = raw_again(batch.raw_row(3), batch.row_context, FieldMapping(skip_until_header=True))
    assert again.readings["unit_code"].to_list() == ["Freezer 1"]
    assert f"{again.readings['recorded_at'][0]:%d %B}" == "05 November"
    assert again.readings["temperature_c"].to_list() == [pytest.approx(-9.7222222)]


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("time,Room A,Room B", "{},{}", [("Room A", 4.5), ("Room B", None)]),
        ("time;Room A;Room B", "{};{}", [("Room A", 4.5), ("Room B", None)]),
        ("time,door,Room B", "open,{1}", [("", None)]),
    ],
)
def test_columns_that_only_the_cells_of_other_rows_show_to_be_temperatures_stay_so(
    header: str, cells: str, expected: list[tuple[str, float | None]]
) -> None:
    """Else the temperature beside the fault is the only one of its row, and stored once more without its sensor."""
    rows = [("4.5 °C", "5.5 °C")] * 60 + [("4.5 °C", "ERR")]
    delimiter = header[4]
    lines = [f"2026-11-20 {n // 60 + 10}:{n % 60:02}{delimiter}{cells.format(*row)}" for n, row in enumerate(rows)]
    parsed = parse("\n".join([header, *lines, ""]), file_name="f.csv")

    fixed = replay(parsed, FieldMapping(null_values=("ERR",)))

    assert (fixed.readings.select("sensor_code", "temperature_c").rows(), fixed.rejected) == (expected, [])


def test_keys_that_only_the_values_of_other_rows_show_to_be_temperatures_stay_so() -> None:
    rows = [{"time": f"2026-11-20T10:{n:02}Z", "Room A": "4.5 °C", "Room B": "5.5 °C"} for n in range(60)]
    faulty = {"time": "2026-11-20T11:00Z", "Room A": "4.5 °C", "Room B": "ERR"}
    parsed = parse(json.dumps([*rows, faulty]), file_name="f.json")

    fixed = replay(parsed, FieldMapping(null_values=("ERR",)))

    assert fixed.readings.select("sensor_code", "temperature_c").rows() == [("Room A", 4.5), ("Room B", None)]
    assert fixed.rejected == []


def test_a_unit_with_a_line_break_in_its_name_is_not_another_one() -> None:
    """Files may be called anything."""
    parsed = parse("time,temp\n2026-11-20 10:00,4\n", file_name="Freezer\n#: 1.csv")
    again = replay(parsed)
    assert ([each.reason for each in again.rejected], len(again.readings)) == (["not_text"], 0)


def test_a_key_with_a_line_break_that_others_show_to_be_the_sensor_stays_so() -> None:
    rows = [("10:00", 4, "A"), ("10:00", 5, "B"), ("10:05", 5, "A"), ("10:05", "ERR", "B")]
    body = [{"time": f"2026-11-20T{time}Z", "temp": temp, "at\n#: x": point} for time, temp, point in rows]
    fixed = replay(parse(json.dumps(body), file_name="f.json"), FieldMapping(null_values=("ERR",)))
    assert fixed.readings["sensor_code"].to_list() == ["B"]


def test_an_unreadable_time_is_parsed_with_a_new_time_format() -> None:
    parsed = parse("Time,Temp\n05/11/2026 10:11,1\n", file_name="f.csv")
    fixed = replay(parsed, FieldMapping(time_format="%m/%d/%Y %H:%M"))
    assert f"{fixed.readings['recorded_at'][0]:%d %B}" == "11 May"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "serial,time,temp\ns1,2026-11-20 10:00,4\ns2,2026-11-20 10:00,ERR\n",
            ("s2", "", None),
        ),
        (
            '[{"serial": "s1", "time": "2026-11-20T10:00Z", "temp": 4},'
            ' {"serial": "s2", "time": "2026-11-20T10:00Z", "temp": "ERR"}]',
            ("s2", "", None),
        ),
        (
            "what,time,temp °C\nA,2026-11-20 10:00,4\nB,2026-11-20 10:00,5\nB,2026-11-20 10:05,ERR\n"
            "A,2026-11-20 10:05,5\n",
            ("f", "B", None),
        ),
        ("point,time,temp\n1,2026-11-20 10:00,4\n2,2026-11-20 10:05,ERR\n", ("f", "", None)),
        (
            '{"units": "imperial", "readings": [{"time": "2026-11-20T10:00Z", "temp": 41, "quality": "?"}]}',
            ("f", "", 5.0),
        ),
    ],
)
def test_a_row_keeps_the_unit_sensor_and_scale_that_the_other_rows_of_its_body_show(
    body: str, expected: tuple[str, str, float | None]
) -> None:
    """What only the whole body shows, such as °F around the rows, must not become something else in a replay."""
    parsed = parse(body, file_name="f.csv" if body[0] not in "[{" else "f.json")
    fixed = replay(parsed, FieldMapping(null_values=("ERR",), quality_field="none"))
    assert fixed.readings.select("unit_code", "sensor_code", "temperature_c").rows() == [
        (*expected[:2], expected[2] if expected[2] is None else pytest.approx(expected[2]))
    ]


def test_a_number_is_not_read_with_another_decimal_mark_than_the_other_rows_of_its_file_show() -> None:
    parsed = parse('time,temp\n2026-11-20 10:00,"4,5"\n2026-11-20 10:05,1.234\n', file_name="f.csv")
    assert [each.reason for each in replay(parsed).rejected] == ["above_1000_c"]


def test_a_setting_made_later_precedes_what_the_body_showed() -> None:
    parsed = parse("serial,room,time,temp\ns1,A,2026-11-20 10:00,4\ns2,B,2026-11-20 10:00,ERR\n", file_name="f.csv")
    fixed = replay(parsed, FieldMapping(null_values=("ERR",), unit_field="serial"))
    assert fixed.readings["unit_code"].to_list() == ["s2"]


def test_a_single_object_keeps_the_time_of_its_response_but_a_row_of_a_list_does_not() -> None:
    single = {"storage_room": "Deep Freeze 1", "temp": "ERR", "degrees": "F"}
    fixed = replay(parse(json.dumps(single)), FieldMapping(null_values=("ERR",)))
    assert fixed.readings["recorded_at"].to_list() == [RECEIVED_AT]
    listed = replay(parse(json.dumps([single])), FieldMapping(null_values=("ERR",)))
    assert [each.reason for each in listed.rejected] == ["no_time"]


def test_a_row_of_a_mapped_path_is_parsed_without_the_path() -> None:
    mapping = FieldMapping(readings_path="result.rows")
    parsed = parse(json.dumps({"result": {"rows": [json_row(unit_id="")]}}), mapping)
    assert [each.reason for each in replay(parsed, mapping).rejected] == ["no_unit"]


@pytest.mark.parametrize(
    "parsed",
    [
        parse(csv_body(csv_row()) + "A,facility", is_cut_off=True),
        parse(json_body(json_row(), json_row())[:-60], is_cut_off=True),
        parse(json_body(json_row(), 5)),
        parse(csv_body("Total: 5")),
        parse(csv_body('"')),
    ],
)
def test_a_row_that_is_still_invalid_is_rejected_again(parsed: Parsed) -> None:
    again = replay(parsed)
    assert again.readings.is_empty()
    (rejection,) = again.rejected
    assert (rejection.row_number, rejection.raw) == (7, parsed.rejection.raw)


@pytest.mark.parametrize("raw", ["", "{", "}", "5", "a,b\nc,d", '{"readings": [{}, {}]}', "\x00", "é"])
@pytest.mark.parametrize(
    "header", ["", "{}", "[]", "#: waited yes\n[]", "time,temp,unit_id", "no header", "#: unit a", "#: x\n"]
)
def test_a_replay_never_fails(raw: str, header: str) -> None:
    again = raw_again(raw, header)
    assert len(again.readings) == 0
    assert len(again.rejected) == 1
