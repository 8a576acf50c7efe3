"""A scale is read wherever it is given, and a body that gives one that is not understood is refused or noted."""

from __future__ import annotations

import json

import pytest

from ingestion.parsing.fields.titles import Quantity, meaning_of
from ingestion.parsing.tests.parsing import parse, unreadable
from ingestion.sources.mapping import FieldMapping
from readings.units.scales import Scale

TIME = "2026-11-23T10:00:00Z"


def json_of(*rows: dict[str, object], **around: object) -> str:
    return json.dumps({**around, "data": list(rows)})


@pytest.mark.parametrize(
    "title",
    [
        "temperature (?F)",
        "temperature (øF)",
        "temperature (¡F)",
        "temperature (&deg;F)",
        "temperature (\\u00b0F)",
        "temperature (ï¿½F)",
        "Temp ?F",
    ],
)
def test_a_degree_sign_that_was_damaged_does_not_hide_the_scale(title: str) -> None:
    assert meaning_of(title).scale is Scale.FAHRENHEIT


@pytest.mark.parametrize("title", ["Temp (°R)", "Temp (°Ré)", "Temperature Rankine", "temperature_réaumur"])
def test_a_title_on_a_scale_that_is_not_known_is_not_read_as_celsius(title: str) -> None:
    assert meaning_of(title).quantity is Quantity.OTHER_TEMPERATURE
    error = unreadable(f"time,{title}\n2026-11-23 10:00,500\n")
    assert "is on a scale that is not known" in error.message


def test_a_mapped_title_on_a_scale_that_is_not_known_is_noted() -> None:
    mapping = FieldMapping(temperature_field="Temp (°R)")
    assert (
        '"Temp (°R)" is on a scale that is not known. Set the factor.'
        in parse("time,Temp (°R)\n2026-11-23 10:00,500\n", mapping).notes
    )


@pytest.mark.parametrize("around", [{"unit_system": "imperial"}, {"fahrenheit": True}, {"isCelsius": False}])
def test_a_system_of_units_or_a_switch_around_the_rows_gives_the_scale(around: dict[str, object]) -> None:
    parsed = parse(json_of({"unit_id": "a", "time": TIME, "temperature": 40.5}, **around))
    assert parsed.row["scale"] == "F"


def test_a_switch_in_rows_is_no_temperature() -> None:
    parsed = parse(json_of({"unit_id": "a", "time": TIME, "temperature": 40.5, "isFahrenheit": True}))
    assert list(parsed.reasons.values()) == ["unknown_scale"]
    assert parsed.rows == []


def test_a_scale_that_is_not_understood_is_noted_around_rows_and_before_a_header() -> None:
    around = parse(json_of({"unit_id": "a", "time": TIME, "temperature": 40.5}, temperature_unit="Rankine"))
    before = parse("Measurement system: US\ntime,temperature\n2026-11-23 10:00,40.5\n")
    assert '"temperature_unit" gives "Rankine", which is no scale that is known. Set the scale.' in around.notes
    assert '"Measurement system" gives "US", which is no scale that is known. Set the scale.' in before.notes


def test_a_line_that_changes_the_units_applies_from_there_on() -> None:
    body = "time,temperature\n2026-11-23 10:00,4.5\nUnits changed to F\n2026-11-23 10:15,40.5\n"
    assert parse(body, default_unit="u").readings["scale"].to_list() == ["C", "F"]


@pytest.mark.parametrize(
    "body",
    [
        {"columns": [{"name": "time"}, {"name": "temperature", "unit": "°F"}], "rows": [[TIME, 40.5]]},
        {"units": {"temperature": "°F"}, "time": [TIME], "temperature": [40.5]},
    ],
)
def test_the_units_of_columns_are_read_where_columns_are_described(body: dict[str, object]) -> None:
    assert parse(json.dumps(body), default_unit="u").row["scale"] == "F"


@pytest.mark.parametrize("path", ["fahrenheit.temperature", "temp_f.value", "fahrenheit.sensor.value"])
def test_every_part_of_a_mapped_path_may_name_the_scale(path: str) -> None:
    value: object = 40.5
    for key in reversed(path.split(".")):
        value = {key: value}
    row = {"unit_id": "a", "time": TIME, **value} if isinstance(value, dict) else {}
    parsed = parse(json_of(row), FieldMapping(temperature_field=path))
    assert parsed.row["scale"] == "F"
    assert "No scale is given: °C was assumed. Set the scale." not in parsed.notes


def test_the_message_about_a_scale_names_the_unit_field_as_well() -> None:
    parsed = parse("time,temperature,unit\n2026-11-23 10:00,4.5,Fridge\n", default_unit="u")
    assert "or the unit field if it is a storage unit" in parsed.rejection.message
