"""What names devices in JSON, in whatever shape, names the unit or the sensor, or a note tells that it is not read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ingestion.parsing.tests.parsing import json_body, json_row, parse, unreadable
from ingestion.sources.mapping import FieldMapping

ROWS = [{"time": f"2026-11-23T10:{minute:02}:00Z", "temperature": 4.5} for minute in (0, 5)]
COLUMNS = {"time": [row["time"] for row in ROWS], "temperature": [4.5, 4.6]}
PAIRS = [[row["time"], row["temperature"]] for row in ROWS]
AROUND = '"{}", around the rows, was read as the storage unit.'
UNREAD = "Not read, around the rows: {}. Set the unit field or the sensor field if it names one."


def identities(body: object, mapping: FieldMapping | None = None, default_unit: str = "") -> tuple[set[str], str]:
    """Return the units and sensors of a body as "unit/sensor", and its notes."""
    parsed = parse(json.dumps(body), mapping, file_name="file.json", default_unit=default_unit)
    keys = parsed.readings.select("unit_code", "sensor_code").rows()
    return {f"{unit}/{sensor}" for unit, sensor in keys}, " ".join(parsed.batches[-1].notes)


@pytest.mark.parametrize("name", ["mac", "serial", "serialNumber", "imei", "thing"])
def test_a_devices_number_around_the_rows_is_the_unit(name: str) -> None:
    for body in ({name: "N1", "readings": ROWS}, {"data": {name: "N1", "readings": ROWS}}, {name: "N1", **COLUMNS}):
        found, notes = identities(body)
        assert found == {"N1/"}
        assert AROUND.format(name) in notes


@pytest.mark.parametrize("name", ["device", "logger", "room", "storageUnit"])
@pytest.mark.parametrize("described", [{"id": "D1", "name": "Freezer"}, {"serial": "D1"}, {"name": "D1"}, "D1"])
def test_an_object_around_the_rows_that_describes_a_device_names_it(name: str, described: object) -> None:
    for body in (
        {name: described, "readings": ROWS},
        {"readings": ROWS, name: described},
        {name: described, **COLUMNS},
    ):
        assert identities(body)[0] == {"D1/"}


@pytest.mark.parametrize("name", ["gateway", "hub", "location", "id", "name", "title"])
@pytest.mark.parametrize("described", [{"id": 7}, 7])
def test_a_note_tells_what_around_the_rows_is_not_read(name: str, described: object) -> None:
    found, notes = identities({name: described, "readings": ROWS})
    assert found == {"file/"}
    assert UNREAD.format(f'"{name}"') in notes


def test_a_note_tells_it_of_bodies_in_the_default_layout_as_well() -> None:
    parsed = parse(json_body(json_row(), gateway="G1", mac="M1"))
    assert parsed.batches[-1].notes == [UNREAD.format('"gateway", "mac"')]


def test_a_devices_number_is_not_read_if_a_person_or_the_rows_name_the_unit() -> None:
    named = [{"unit_id": "U1", **row} for row in ROWS]
    for found, notes in (
        identities({"mac": "M1", "readings": ROWS}, default_unit="D1"),
        identities({"mac": "M1", "readings": named}, FieldMapping()),
        identities({"mac": "M1", "readings": ROWS}, FieldMapping(unit_field="=C1")),
    ):
        assert found <= {"D1/", "U1/", "C1/"}
        assert UNREAD.format('"mac"') in notes


@pytest.mark.parametrize(
    ("body", "mapping", "wanted"),
    [
        ({"device": {"eui": "E1"}, "readings": ROWS}, FieldMapping(unit_field="device.eui"), "E1/"),
        ({"device": {"id": "E1"}, "readings": ROWS}, FieldMapping(sensor_field="device.id"), "file/E1"),
        ({"title": "T1", "readings": ROWS}, FieldMapping(unit_field="title"), "T1/"),
        ({"a": {"mac": "M1", "b": ROWS}}, FieldMapping(readings_path="a.b"), "M1/"),
        ({"a": {"x": {"y": "M1"}, "b": ROWS}}, FieldMapping(readings_path="a.b", unit_field="x.y"), "M1/"),
        ([{"device": {"id": "D1"}, **row} for row in ROWS], FieldMapping(unit_field="device.id"), "D1/"),
    ],
)
def test_mapped_fields_are_found_around_the_rows(body: object, mapping: FieldMapping, wanted: str) -> None:
    assert identities(body, mapping)[0] == {wanted}


@pytest.mark.parametrize("member", ["device", "serial", "mac", "id"])
@pytest.mark.parametrize("series", [{"readings": ROWS}, COLUMNS], ids=["rows", "columns"])
def test_lists_of_devices_are_kept_apart(member: str, series: dict[str, object]) -> None:
    codes: list[object] = [{"id": code} if member == "device" else code for code in ("A", "B")]
    assert identities([{member: code, **series} for code in codes])[0] == {"A/", "B/"}


@pytest.mark.parametrize("series", [ROWS, COLUMNS, {"readings": ROWS}], ids=["rows", "columns", "objects"])
def test_series_by_the_ids_of_devices_are_kept_apart(series: object) -> None:
    assert identities({"A": series, "B": series})[0] == {"file/A", "file/B"}
    assert identities({"devices": {"A": series, "B": series}})[0] == {"A/", "B/"}


def test_lists_of_pairs_by_the_names_of_their_temperatures_are_kept_apart() -> None:
    assert identities({"temp_in": PAIRS, "temp_out": PAIRS})[0] == {"file/temp_in", "file/temp_out"}


def test_rows_with_objects_that_describe_devices_are_kept_apart() -> None:
    rows = [{"device": {"id": code, "name": "Freezer"}, **ROWS[0]} for code in "AB"]
    assert identities(rows) == ({"A/", "B/"}, '"device" was read as the storage unit. ' + identities(ROWS)[1])


def test_a_note_tells_which_fields_of_rows_may_name_devices_and_are_not_read() -> None:
    found, notes = identities([{"serial": "S1", "gateway": {"id": "G1"}, **row} for row in ROWS])
    assert found == {"file/"}
    assert 'Fields that are not read: "serial", "gateway".' in notes


@pytest.mark.parametrize("first", [{"device": "d"}, {"unit_id": "a", "x": 1}])
def test_a_list_beside_the_one_that_is_read_is_noted(first: dict[str, object]) -> None:
    row = {**first, "time": "2026-11-23T10:00:00Z", "temperature": 4.5}
    parsed = parse(json.dumps({"readings": [row], "archived": [row], "errors": ["sensor 2 failed"], "tags": []}))
    assert 'Lists that are not read, beside that of the rows: "archived", "errors".' in " ".join(parsed.notes)


def test_a_list_beside_rows_in_the_default_layout_is_noted() -> None:
    parsed = parse(json_body(json_row(), data=[json_row()]))
    assert 'Lists that are not read, beside that of the rows: "data". Set the readings path.' in parsed.notes


@pytest.mark.parametrize("key", ["Freezer 7", "stuff"])
def test_the_name_of_the_only_list_is_noted_if_nothing_else_names_the_unit(key: str) -> None:
    row = {"time": "2026-11-23T10:00:00Z", "temperature": 4.5}
    note = f'The rows are in "{key}", which is not read. Set the unit field or the sensor field if it names one.'
    assert note in parse(json.dumps({key: [row]}), file_name="u.json").notes
    assert note not in parse(json.dumps({key: [row]}), default_unit="u").notes
    assert note not in parse(json.dumps({key: [{**row, "unit_id": "a"}]})).notes
    assert not any("is not read" in text for text in parse(json.dumps({"feeds": [row]}), file_name="u.json").notes)


@pytest.mark.parametrize(
    "body", [{"code": 401, "data": []}, {"status": 500, "data": []}, {"statusCode": "403", "items": []}]
)
def test_a_status_of_failure_around_an_empty_list_fails_the_delivery(body: dict[str, object]) -> None:
    assert unreadable(json.dumps(body)).reason.value == "error_in_response"


def test_a_mark_that_a_value_is_invalid_is_noted() -> None:
    rows = [{"unit_id": "a", "time": "2026-11-23T10:00:00Z", "temperature": 4.5, "valid": False, "online": True}]
    assert 'Fields that are not read: "valid", "online".' in parse(json.dumps(rows)).notes


@pytest.mark.parametrize(
    "beside", [{}, {"c": None}, {"c": {"error": "offline"}}, {"generated": "now"}, {"site": {"city": "Oxford"}}]
)
def test_readings_by_id_keep_their_sensors_beside_other_members(beside: dict[str, object]) -> None:
    row = {"time": "2026-11-23T10:00:00Z", "temperature": 4.5}
    parsed = parse(json.dumps({"a": row, **beside, "b": row}), default_unit="u")
    assert [(each["sensor_code"], each["temperature_c"]) for each in parsed.rows] == [("a", 4.5), ("b", 4.5)]
    assert parsed.rejected == []


@pytest.mark.parametrize("missing", [None, {"error": "offline"}])
@pytest.mark.parametrize("beside", [{}, {"generated": "now"}])
def test_the_only_reading_left_by_id_keeps_its_sensor(missing: object, beside: dict[str, object]) -> None:
    row = {"time": "2026-11-23T10:00:00Z", "temperature": 4.5}
    assert parse(json.dumps({"a": row, "b": missing, **beside}), default_unit="u").row["sensor_code"] == "a"


def test_an_incomplete_reading_by_id_is_rejected() -> None:
    row = {"time": "2026-11-23T10:00:00Z", "temperature": 4.5}
    parsed = parse(json.dumps({"a": row, "b": row, "c": {"time": row["time"], "value": 5}}), default_unit="u")
    assert ([each["sensor_code"] for each in parsed.rows], parsed.reasons) == (["a", "b"], {3: "no_temperature"})


@pytest.mark.parametrize(
    "body",
    [{"generated": "now", "latest": {}}, {"error": None, "latest": {}, "now": "10:00"}, {"site": {}, "latest": {}}],
)
def test_an_object_around_one_reading_is_no_sensor(body: dict[str, object]) -> None:
    reading = {"time": "2026-11-23T10:00:00Z", "temperature": 4.5}
    parsed = parse(json.dumps({**body, "latest": reading}), default_unit="u")
    assert (parsed.row["sensor_code"], parsed.temperatures) == ("", [4.5])


def test_readings_that_name_their_units_need_no_ids_beside_other_members() -> None:
    row = {"time": "2026-11-23T10:00:00Z", "temperature": 4.5}
    body = {"generated": "now", "a": {**row, "unit_id": "u1"}, "b": {**row, "unit_id": "u2"}}
    rows = parse(json.dumps(body)).rows
    assert [(each["unit_code"], each["sensor_code"]) for each in rows] == [("u1", ""), ("u2", "")]


@pytest.mark.parametrize(
    "probes", [[{"id": "p", "temperature": 1}], {"temperature": 1}, {"p": {"temperature": 1}}, {"list": [{"temp": 1}]}]
)
@pytest.mark.parametrize("row", [{"time": "2026-11-23T10:00:00Z", "temperature": 4.5}, json_row(temperature=4.5)])
def test_temperatures_inside_a_row_with_one_of_its_own_are_noted(row: dict[str, object], probes: object) -> None:
    parsed = parse(json.dumps([{**row, "inner": probes, "limits": {"max_temperature": 8}}]), default_unit="u")
    assert parsed.temperatures == [4.5]
    assert 'Fields that are not read: "inner".' in parsed.notes


TIMELESS = [{"unit_id": "F1", "temperature": 4.5}, {"unit_id": "F2", "temperature": 5.5}]


def test_a_time_around_rows_without_times_is_that_of_the_mapping() -> None:
    body = json.dumps({"timestamp": "2026-11-23T10:00:00Z", "readings": TIMELESS})

    parsed = parse(body, FieldMapping(time_field="timestamp"))

    assert [(row["unit_code"], row["recorded_at"]) for row in parsed.rows] == [
        ("F1", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("F2", datetime(2026, 11, 23, 10, tzinfo=UTC)),
    ]


def test_a_time_around_rows_without_times_is_noted_if_nobody_says_that_it_is_theirs() -> None:
    """It may be the time of the response."""
    parsed = parse(json.dumps({"timestamp": "2026-11-23T10:00:00Z", "readings": TIMELESS}))

    assert [row.reason for row in parsed.rejected] == ["no_time", "no_time"]
    assert parsed.batches[-1].notes == [
        'The rows have no times. If "timestamp", around them, is their time and not that of the response, set the time'
        " field to it."
    ]


def test_a_row_without_a_time_among_others_does_not_take_the_time_around_them() -> None:
    rows = [TIMELESS[0] | {"timestamp": "2026-11-23T09:00:00Z"}, TIMELESS[1]]

    parsed = parse(
        json.dumps({"timestamp": "2026-11-23T10:00:00Z", "readings": rows}), FieldMapping(time_field="timestamp")
    )

    assert parsed.row["unit_code"] == "F1"
    assert parsed.rejection.reason == "no_time"


NESTED = [
    {"rooms": [{"id": "F1", "temperature": 4.5}, {"id": "F2", "temperature": 5.5}]},
    {"rooms": {"F1": {"temperature": 4.5}, "F2": {"temperature": 5.5}}},
    {"rooms": [{"id": each["unit_id"], "probes": [each]} for each in TIMELESS]},
]


@pytest.mark.parametrize("nested", NESTED, ids=["listed", "by id", "deeper"])
def test_a_time_around_nested_readings_is_that_of_the_mapping(nested: dict[str, object]) -> None:
    body = json.dumps({"timestamp": "2026-11-23T10:00:00Z"} | nested)

    parsed = parse(body, FieldMapping(time_field="timestamp"))

    assert [(row["unit_code"], row["temperature_c"]) for row in parsed.rows] == [("F1", 4.5), ("F2", 5.5)]
    assert {row["recorded_at"] for row in parsed.rows} == {datetime(2026, 11, 23, 10, tzinfo=UTC)}


@pytest.mark.parametrize("nested", NESTED, ids=["listed", "by id", "deeper"])
def test_nested_readings_without_times_say_which_time_is_around_them(nested: dict[str, object]) -> None:
    failure = unreadable(json.dumps({"timestamp": "2026-11-23T10:00:00Z"} | nested))

    assert failure.reason == "no_readings_list"
    assert failure.message == (
        'The temperatures in the JSON have no times. If "timestamp", around them, is their time and not that of the'
        " response, set the time field to it."
    )
