"""The JSON of time series databases and platforms is read, with what names the device and the scale."""

from __future__ import annotations

import json

import pytest

from ingestion.parsing.tests.parsing import parse
from ingestion.sources.mapping import FieldMapping

TIME = "2026-11-23T10:00:00Z"
LATER = "2026-11-23T10:15:00Z"
SECONDS = 1795428000
MS = SECONDS * 1000


def rows_of(body: object, mapping: FieldMapping | None = None) -> list[tuple[str, str, str, float | None, str]]:
    """Return unit, sensor, minute, temperature in °C and scale of the readings of a body."""
    parsed = parse(json.dumps(body), mapping, default_unit="u")
    return [
        (
            row["unit_code"],
            row["sensor_code"],
            f"{row['recorded_at']:%H:%M}",
            None if row["temperature_c"] is None else round(row["temperature_c"], 3),
            row["scale"],
        )
        for row in parsed.rows
    ]


def influx(*series: dict[str, object]) -> dict[str, object]:
    return {"results": [{"statement_id": 0, "series": list(series)}]}


def test_the_tags_of_influxdb_keep_its_series_apart() -> None:
    columns = ["time", "temperature"]
    body = influx(
        {"name": "env", "tags": {"room": "A"}, "columns": columns, "values": [[TIME, 4.5]]},
        {"name": "env", "tags": {"room": "B"}, "columns": columns, "values": [[TIME, 5.5]]},
    )
    rows = parse(json.dumps(body)).rows
    assert [(row["unit_code"], row["temperature_c"]) for row in rows] == [("A", 4.5), ("B", 5.5)]


@pytest.mark.parametrize("title", ["value", "mean"])
def test_the_measurement_of_influxdb_says_what_its_values_are(title: str) -> None:
    body = influx(
        {"name": "humidity", "columns": ["time", title], "values": [[TIME, 60]]},
        {"name": "temperature_f", "columns": ["time", title], "values": [[TIME, 41]]},
    )
    assert rows_of(body) == [("u", "", "10:00", 5.0, "F")]


def test_metrics_of_prometheus_are_read_with_their_labels() -> None:
    metric = {"__name__": "temperature_fahrenheit", "room": "A"}
    other = {"__name__": "humidity_percent", "room": "A"}
    result = [
        {"metric": metric, "values": [[SECONDS, "41"], [SECONDS + 900, "50"]]},
        {"metric": other, "value": [SECONDS, "60"]},
    ]
    rows = parse(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})).rows
    assert [(row["unit_code"], round(row["temperature_c"], 3), row["scale"]) for row in rows] == [
        ("A", 5.0, "F"),
        ("A", 10.0, "F"),
    ]


def test_data_frames_of_grafana_are_read_on_the_scale_of_their_fields() -> None:
    fields = [
        {"name": "Time", "type": "time"},
        {"name": "Value", "type": "number", "labels": {"room": "A"}, "config": {"unit": "fahrenheit"}},
    ]
    frame = {"schema": {"fields": fields}, "data": {"values": [[MS, MS + 900_000], [41, 50]]}}
    rows = parse(json.dumps({"results": {"A": {"frames": [frame]}}})).rows
    assert [(row["unit_code"], round(row["temperature_c"], 3), row["scale"]) for row in rows] == [
        ("A", 5.0, "F"),
        ("A", 10.0, "F"),
    ]


def test_time_series_of_thingsboard_are_read_by_their_keys() -> None:
    body = {
        "humidity": [{"ts": MS, "value": "60"}],
        "temperature": [{"ts": MS, "value": "4.5"}, {"ts": MS + 900_000, "value": "4.6"}],
    }
    assert rows_of(body) == [("u", "", "10:00", 4.5, "C"), ("u", "", "10:15", 4.6, "C")]
    assert rows_of({"temp_f": [{"ts": MS, "value": "41"}]}) == [("u", "", "10:00", 5.0, "F")]


def test_several_temperatures_of_thingsboard_are_sensors() -> None:
    body = {"temperature_1": [{"ts": MS, "value": 4.5}], "temperature_2": [{"ts": MS, "value": 5.5}]}
    assert [row[1:4] for row in rows_of(body)] == [("temperature_1", "10:00", 4.5), ("temperature_2", "10:00", 5.5)]


def test_telemetry_with_its_values_in_an_object_is_read() -> None:
    values = {"temperature": 4.5, "humidity": 60}
    assert rows_of([{"ts": MS, "values": values}]) == [("u", "", "10:00", 4.5, "C")]
    body = {"Device A": [{"ts": MS, "values": values}], "Device B": [{"ts": MS, "values": {"temperature": 5.5}}]}
    assert [row[1:4] for row in rows_of(body)] == [("Device A", "10:00", 4.5), ("Device B", "10:00", 5.5)]


def test_the_history_of_home_assistant_is_read_with_the_entity_of_its_first_state() -> None:
    freezer = {"entity_id": "sensor.freezer", "state": "-18.5", "attributes": {"unit_of_measurement": "°C"}}
    fridge = {"entity_id": "sensor.fridge", "state": "41", "attributes": {"unit_of_measurement": "°F"}}
    humidity = {"entity_id": "sensor.humidity", "state": "60", "attributes": {"unit_of_measurement": "%"}}
    body = [
        [{**freezer, "last_changed": TIME}, {"state": "-18.4", "last_changed": LATER}],
        [{**fridge, "last_changed": TIME}, {"state": "unavailable", "last_changed": LATER}],
        [{**humidity, "last_changed": TIME}],
    ]
    assert [row[1:] for row in rows_of(body)] == [
        ("sensor.freezer", "10:00", -18.5, "C"),
        ("sensor.freezer", "10:15", -18.4, "C"),
        ("sensor.fridge", "10:00", 5.0, "F"),
    ]
    assert [row[1:] for row in rows_of([{**freezer, "last_changed": TIME}, {**humidity, "last_changed": TIME}])] == [
        ("sensor.freezer", "10:00", -18.5, "C")
    ]


def test_records_of_senml_are_read_with_their_bases() -> None:
    body = [
        {"bn": "urn:dev:1:", "bt": SECONDS, "bu": "Cel", "n": "air", "v": 4.5},
        {"n": "humidity", "u": "%RH", "v": 60},
        {"n": "air", "t": 900, "v": 4.6},
        {"n": "core", "u": "K", "v": 277.65},
    ]
    assert [row[1:] for row in rows_of(body)] == [
        ("urn:dev:1:air", "10:00", 4.5, "C"),
        ("urn:dev:1:air", "10:15", 4.6, "C"),
        ("urn:dev:1:core", "10:00", 4.5, "K"),
    ]


def test_records_of_senml_without_a_base_time_are_not_dated() -> None:
    parsed = parse(json.dumps([{"n": "air", "u": "Cel", "t": 60, "v": 4.5}]), default_unit="u")
    assert list(parsed.reasons.values()) == ["too_old"]
