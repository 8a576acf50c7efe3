"""JSON bodies: layouts, invalid rows, cut-off and unreadable bodies."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.parsing.results import READING_SCHEMA, UnreadableBody
from ingestion.parsing.tests.parsing import DEFAULT_READING, DEFAULT_UNIT, RECEIVED_AT, json_body, json_row, parse
from ingestion.sources.mapping import FieldMapping


def unreadable(body: str, mapping: FieldMapping | None = None, **arguments: object) -> UnreadableBody:
    with pytest.raises(UnreadableBody) as error:
        parse(body, mapping, **arguments)
    return error.value


def test_the_default_layout_needs_no_mapping() -> None:
    parsed = parse(json_body(json_row(), json_row(temperature=None, quality_score=0.0, unit_name=None, city=None)))
    assert dict(parsed.readings.schema) == READING_SCHEMA
    first, second = parsed.rows
    assert f"{first.pop('recorded_at'):%Y-%m-%dT%H:%M:%S.%f%z}" == "2026-11-23T10:11:11.123456+0000"
    assert first == {"row_number": 1, **DEFAULT_READING}
    assert (second["temperature_c"], second["quality_score"]) == (None, 0.0)
    assert parsed.units == {("facility_A_1", "unit_A_1_1"): DEFAULT_UNIT}
    assert parsed.header == ""


def test_a_row_may_have_a_status() -> None:
    assert parse(json_body(json_row(equipment_status="Defrost"))).row["equipment_status"] == "defrost"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([json_row()]),
        json.dumps({"data": [json_row()]}),
        json.dumps({"meta": {"readings": 1}, "items": [json_row()]}),
        json.dumps({"results": [json_row()], "next": None}),
        json_body(json_row(), start_time="2026-11-22T10:00:00", end_time="2026-11-23T10:00:00", readings_count=1),
        json.dumps({"results": [json_row()]}, indent=2),
        "\ufeff" + json_body(json_row()),
    ],
)
def test_the_list_is_found_under_its_default_names_or_bare(body: str) -> None:
    assert parse(body).temperatures == [-74.31]


def test_a_descending_list_keeps_its_order() -> None:
    rows = [json_row(timestamp=f"2026-11-23T10:{minute}:00") for minute in (30, 20, 10)]
    assert [f"{row['recorded_at']:%M}" for row in parse(json_body(*rows)).rows] == ["30", "20", "10"]


def test_a_single_object_without_a_time_gets_the_time_of_the_response() -> None:
    parsed = parse('{"customer": "B", "storage_room": "Deep Freeze 1", "temp": 0, "degrees": "F"}')
    row = parsed.row
    assert (row["unit_code"], row["facility_code"], row["sensor_code"]) == ("Deep Freeze 1", None, "")
    assert (row["temperature_c"], row["scale"]) == (-17.77777777777778, "F")
    assert row["recorded_at"] == RECEIVED_AT
    assert parsed.units[None, "Deep Freeze 1"].unit_name == "Deep Freeze 1"


def test_a_row_of_a_list_never_gets_the_time_of_the_response() -> None:
    row = json_row()
    del row["timestamp"]
    assert parse(json_body(row)).reasons == {1: "no_time"}
    assert parse(json.dumps([row])).reasons == {1: "no_time"}
    assert parse(json.dumps(row) + "\n" + json.dumps(row)).reasons == {1: "no_time", 2: "no_time"}
    assert parse(json.dumps(row), content_type="application/x-ndjson").reasons == {1: "no_time"}
    assert parse(json.dumps(row | {"timestamp": None})).reasons == {1: "no_time"}
    assert parse(json_body(row), FieldMapping(time_field="=received")).row["recorded_at"] == RECEIVED_AT


def test_json_lines_are_rows() -> None:
    body = "\n".join(json.dumps(json_row(temperature=position)) for position in range(3)) + "\n"
    assert parse(body).temperatures == [0.0, 1.0, 2.0]
    assert parse(body, content_type="application/x-ndjson").temperatures == [0.0, 1.0, 2.0]


def test_gzip_is_decompressed() -> None:
    assert parse(gzip.compress(json_body(json_row()).encode())).temperatures == [-74.31]


def test_latin_1_is_detected() -> None:
    body = json.dumps([json_row(unit_name="Kühlraum")], ensure_ascii=False).encode("latin-1")
    assert parse(body).units["facility_A_1", "unit_A_1_1"].unit_name == "Kühlraum"


def test_a_mapping_leads_into_objects() -> None:
    mapping = FieldMapping(
        readings_path="result.rows",
        unit_field="device.id",
        sensor_field="device.probe",
        time_field="ts",
        temperature_field="values.t",
        scale="K",
        null_values=("-999",),
    )
    rows = [{"device": {"id": 12, "probe": "a"}, "ts": 1795428671, "values": {"t": t}} for t in (273.15, -999, "-999")]
    parsed = parse(json.dumps({"result": {"status": "ok", "rows": rows}}), mapping)
    assert parsed.temperatures == [0.0, None, None]
    assert {(row["unit_code"], row["sensor_code"]) for row in parsed.rows} == {("12", "a")}
    assert f"{parsed.rows[0]['recorded_at']:%H:%M:%S}" == "10:11:11"


def test_the_default_unit_applies_to_rows_without_one() -> None:
    body = '[{"time": "2026-11-23T10:11", "temp": 1}, {"time": "2026-11-23T10:12", "temp": 1, "unit_id": ""}]'
    parsed = parse(body, default_unit="Freezer 1")
    assert parsed.row["unit_code"] == "Freezer 1"
    assert parsed.reasons == {2: "no_unit"}


def test_numbers_may_be_strings_and_strings_are_stripped() -> None:
    parsed = parse(json_body(json_row(temperature=" -74.31 ", quality_score="0.5", unit_id=" a ")))
    assert (parsed.row["temperature_c"], parsed.row["quality_score"], parsed.row["unit_code"]) == (-74.31, 0.5, "a")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"unit_id": None}, "no_unit"),
        ({"unit_id": ""}, "no_unit"),
        ({"unit_id": ["a"]}, "not_text"),
        ({"unit_id": True}, "not_text"),
        ({"unit_id": "a\ud800"}, "not_text"),
        ({"sensor_id": "a\u0000"}, "not_text"),
        ({"facility_id": "x" * 101}, "code_too_long"),
        ({"timestamp": None}, "no_time"),
        ({"timestamp": "soon"}, "unreadable_time"),
        ({"timestamp": {}}, "unreadable_time"),
        ({"timestamp": "2026-11-26T00:00:00"}, "future_time"),
        ({"timestamp": "0001-01-01T00:00:00"}, "too_old"),
        ({"timestamp": 5}, "too_old"),
        ({"timestamp": 99999999999}, "future_time"),
        ({"temperature": "ERR"}, "not_a_number"),
        ({"temperature": "1,5"}, "not_a_number"),
        ({"temperature": True}, "not_a_number"),
        ({"temperature": [1]}, "not_a_number"),
        ({"temperature": "inf"}, "not_finite"),
        ({"temperature": float("nan")}, "not_finite"),
        ({"temperature": float("-inf")}, "not_finite"),
        ({"temperature": 10**500}, "not_finite"),
        ({"temperature": -273.2}, "below_absolute_zero"),
        ({"temperature": 1e300}, "above_1000_c"),
        ({"temperature_unit": "R"}, "unknown_scale"),
        ({"temperature_unit": ""}, "unknown_scale"),
        ({"temperature_unit": None}, "unknown_scale"),
        ({"temperature_unit": 0}, "unknown_scale"),
        ({"temperature_unit": 5}, "unknown_scale"),
        ({"quality_score": 1.01}, "bad_quality"),
        ({"quality_score": True}, "bad_quality"),
        ({"equipment_status": "x" * 33}, "status_too_long"),
        ({"equipment_status": 5}, "not_text"),
    ],
)
def test_only_an_invalid_row_is_rejected_with_its_verbatim_text(members: dict[str, object], reason: str) -> None:
    bad = json_row(**members)
    parsed = parse(json_body(json_row(), bad, json_row()))
    assert parsed.reasons == {2: reason}
    assert parsed.rejection.raw == json.dumps(bad)
    assert parsed.rejection.message.endswith(".")
    assert [row["row_number"] for row in parsed.rows] == [1, 3]


def test_numbers_that_exceed_a_float_do_not_fail_the_delivery() -> None:
    for number in ("1e400", "-1e400", "9" * 5000, "NaN", "-Infinity"):
        body = json_body(json_row(temperature="HERE"), json_row()).replace('"HERE"', number)
        assert parse(body).reasons == {1: "not_finite"}


def test_a_row_without_a_temperature_field_is_rejected() -> None:
    row = json_row()
    del row["temperature"]
    assert parse(json_body(row)).reasons == {1: "no_temperature"}


def test_an_item_that_is_not_an_object_is_rejected() -> None:
    parsed = parse(json_body(json_row(), 5, None, [json_row()], "text"))
    assert set(parsed.reasons.values()) == {"not_an_object"}
    assert [rejection.raw for rejection in parsed.rejected][:2] == ["5", "null"]


def test_a_rejected_row_is_kept_verbatim() -> None:
    bad = '{ "unit_id":"a",  "timestamp":"2026-11-23T10:11:11",\n "temperature": 1e2000, "x": -74.310 }'
    assert parse(f"[{bad}]").rejection.raw == bad


def test_the_raw_row_of_a_reading_is_available() -> None:
    rows = [json_row(temperature=position) for position in range(5)]
    for body in (json_body(*rows), json_body(*rows, more=1)):
        parsed = parse(body, batch_rows=2)
        raws = [batch.raw_row(number) for batch in parsed.batches for number in batch.readings["row_number"]]
        assert raws == [json.dumps(row) for row in rows]
        assert [len(batch.readings) for batch in parsed.batches] == [2, 2, 1]


def test_the_order_of_day_and_month_is_determined_from_the_whole_body() -> None:
    rows = [json_row(timestamp=f"{day:02}/11/2026 10:11") for day in (5, 23)]
    assert [f"{row['recorded_at']:%d %m}" for row in parse(json_body(*rows)).rows] == ["05 11", "23 11"]
    assert parse(json_body(rows[0])).reasons == {1: "unreadable_time"}


@pytest.mark.parametrize("body", ["[]", '{"readings": []}', "", "  "])
def test_a_body_without_rows_is_an_empty_batch(body: str) -> None:
    (batch,) = parse(body, content_type="application/json").batches
    assert batch.readings.is_empty()
    assert batch.rejected == []
    assert not batch.is_cut_off


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{'readings': []}", "invalid_json"),
        ('{"readings": [}', "invalid_json"),
        ('{"readings": []} x', "invalid_json"),
        ('[{"a": 1},, {"b": 2} {"c": 3} and more]', "invalid_json"),
        ('[{"a": "\x01"}, {"b": 2}]', "invalid_json"),
        ("nothing today", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ('{"a":' * 100_000, "invalid_json"),
        ('{"readings": [' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "]}", "invalid_json"),
        ('{"error": "unauthorised"}', "error_in_response"),
        ('{"success": false, "error": "token expired", "data": null}', "error_in_response"),
        ('{"status": "error", "data": []}', "error_in_response"),
        ('{"data": null}', "error_in_response"),
        ('{"message": "none today"}', "no_readings_list"),
        ("5", "no_readings_list"),
        ('"text"', "no_readings_list"),
        ("<html><body>Login</body></html>", "html_instead_of_data"),
    ],
)
def test_an_unusable_body_fails_the_delivery(body: str, reason: str) -> None:
    error = unreadable(body, content_type="application/json")
    assert error.reason == reason
    assert error.message.endswith(".")


def test_a_mapped_path_must_lead_to_a_list() -> None:
    error = unreadable(json_body(json_row()), FieldMapping(readings_path="result.rows"))
    assert error.reason == "no_readings_list"
    assert "result.rows" in error.message


@pytest.mark.parametrize("is_default", [True, False])
def test_a_duplicate_name_fails_the_delivery(is_default: bool) -> None:
    body = json_body(json_row(), json_row(), **({} if is_default else {"more": 1}))
    doubled = body.replace('"city": "Oxford"', '"city": "Oxford", "temperature": 5', 1)
    error = unreadable(doubled)
    assert error.reason == "invalid_json"
    assert "temperature" in error.message
    assert unreadable(body.replace('"readings"', '"customer_id": "B", "readings"')).reason == "invalid_json"


def test_invalid_json_in_the_middle_gives_no_rows() -> None:
    rows = [json_row()] * 3
    body = json_body(*rows).replace("}, {", "} {", 1)
    assert unreadable(body).reason == "invalid_json"


def test_a_body_over_the_limit_is_unreadable() -> None:
    assert unreadable(json_body(*[json_row()] * 100), max_bytes=1000).reason == "too_large"


def test_a_json_body_may_come_with_any_content_type() -> None:
    for content_type in ("", "text/plain", "application/octet-stream", "text/html; charset=utf-8"):
        assert parse(json_body(json_row()), content_type=content_type).temperatures == [-74.31]
    assert parse(json_body(json_row()), file_name="export.json").temperatures == [-74.31]


BODY = json_body(
    json_row(temperature=1.5, unit_name='Kühl "1" \\ é'),
    json_row(temperature=2),
    json_row(temperature=-3.25e1),
    more=[1],
)
WHOLE_ROWS = [BODY.index(f'"temperature": {number}') for number in ("1.5", "2,", "-32.5")]


@given(length=st.integers(1, len(BODY) - 1), is_seen=st.booleans())
def test_a_body_cut_off_anywhere_keeps_every_complete_row(length: int, is_seen: bool) -> None:
    cut = BODY[:length]
    parsed = parse(cut, content_type="application/json", is_cut_off=is_seen)
    ends = [BODY.index("}", position) + 1 for position in WHOLE_ROWS]
    assert parsed.temperatures == [value for value, end in zip([1.5, 2, -32.5], ends, strict=True) if end <= length]
    assert parsed.is_cut_off
    assert [rejection.reason for rejection in parsed.rejected] in ([], ["cut_off"])
    if any(position <= length < end for position, end in zip(WHOLE_ROWS, ends, strict=True)):
        assert cut.endswith(parsed.rejection.raw)
        assert parsed.rejection.raw.startswith('{"customer_id"')


def test_a_body_that_ends_within_a_character_is_cut_off() -> None:
    data = json.dumps([json_row(), json_row(unit_name="é")], ensure_ascii=False).encode()
    cut = data[: data.index("é".encode()) + 1]
    parsed = parse(cut)
    assert len(parsed.rows) == 1
    assert parsed.reasons == {2: "cut_off"}


def test_a_complete_body_that_the_transport_reports_as_cut_off_is_partial() -> None:
    parsed = parse(json_body(json_row()), is_cut_off=True)
    assert len(parsed.rows) == 1
    assert parsed.is_cut_off


READING = {"time": "2026-11-23T10:00:00Z", "temperature": 4.5}
UNNAMED = {"time": "2026-11-23T10:00:00Z", "t": 5}
TIME, LATER = "2026-11-23T10:00:00Z", "2026-11-23T10:05:00Z"


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({"sensors": [{"id": "a", "readings": [READING, None, UNNAMED]}]}, ["no_time", "no_temperature"]),
        ({"sensors": [{"id": "a", "readings": [READING]}, "b"]}, ["no_time"]),
        ({"temperature": [[TIME, 4.5], [LATER, "ERR"], [LATER]]}, ["not_a_number", "not_a_number"]),
        ({"rooms": {"temperature": [[TIME, 4.5], None]}}, ["no_time"]),
        (
            {"sensors": [{"time": [TIME], "temperature": [4.5]}, {"time": [TIME, LATER], "temperature": [5]}]},
            ["unreadable_time"],
        ),
        ({"columns": ["time", "temperature"], "rows": [[TIME, 4.5], None]}, ["no_time"]),
        ([["time", "temperature"], [TIME, 4.5], None], ["no_time"]),
        ({"temperature": [{"ts": TIME, "value": 4.5}, {"ts": LATER}]}, ["no_time"]),
        (
            {"result": [{"metric": {"__name__": "temperature"}, "values": [[1795428000, "4.5"], [1795428060]]}]},
            ["not_a_number"],
        ),
        ([{"bt": 1795428000, "n": "a", "u": "Cel", "v": 4.5}, {"n": "a", "u": "Cel", "vs": "ERR"}], ["not_a_number"]),
    ],
)
def test_what_is_no_reading_among_readings_is_rejected(body: object, reasons: list[str]) -> None:
    parsed = parse(json.dumps(body), default_unit="a")
    assert 4.5 in parsed.temperatures
    assert [each.reason for each in parsed.rejected] == reasons


def test_mapped_lists_of_different_lengths_are_rejected() -> None:
    body = [{"t": [TIME], "v": [4.5]}, {"t": [TIME, LATER], "v": [5]}, None]
    parsed = parse(json.dumps(body), FieldMapping(time_field="t", temperature_field="v"), default_unit="a")
    assert (parsed.temperatures, list(parsed.reasons.values())) == ([4.5], ["unreadable_time", "no_time"])


def test_storage_units_below_a_site_are_read() -> None:
    body = {"sites": [{"id": "s", "units": [{"id": "a", "readings": [READING]}]}, {"id": "t", "readings": [READING]}]}
    parsed = parse(json.dumps(body), default_unit="b")
    assert [(row["facility_code"], row["unit_code"]) for row in parsed.rows] == [("s", "a"), ("t", "b")]


def test_a_null_value_of_a_quantity_is_a_reading_without_a_measurement() -> None:
    rows = [{"time": TIME, "values": [{"value_type": "temperature", "value": value}]} for value in (None, 4.5)]
    assert parse(json.dumps(rows), default_unit="a").temperatures == [None, 4.5]


@pytest.mark.parametrize("name", ["timestamp", "recorded_at", "time"])
@pytest.mark.parametrize(
    "body",
    [
        {"sensors": [{"id": "a", "readings": [{"ts": TIME, "temperature": 4.5}]}]},
        {"sensors": {"a": {"ts": TIME, "temperature": 4.5}, "b": {"ts": TIME, "temperature": 4.5}}},
        {"a": {"ts": TIME, "temperature": 4.5}, "b": {"ts": TIME, "temperature": 4.5}},
        {"hourly": {"ts": [TIME], "temperature": [4.5]}},
        {"ts": [TIME], "temperature": [4.5]},
        {"columns": ["ts", "temperature"], "rows": [[TIME, 4.5]]},
    ],
)
def test_the_time_of_a_response_is_not_that_of_its_readings(name: str, body: dict[str, object]) -> None:
    parsed = parse(json.dumps({name: "2026-11-23T11:11:00Z", **body}), default_unit="a")
    assert {f"{row['recorded_at']:%Y-%m-%d %H:%M}" for row in parsed.rows} == {"2026-11-23 10:00"}


def test_a_mapping_may_name_the_time_of_a_response() -> None:
    body = {"timestamp": TIME, "sensors": [{"id": "a", "readings": [{"ts": LATER, "temperature": 4.5}]}]}
    row = parse(json.dumps(body), FieldMapping(time_field="timestamp"), default_unit="a").row
    assert f"{row['recorded_at']:%H:%M}" == "10:00"
