"""A mapping that cannot be meant is refused with the name of the setting."""

import pytest

from ingestion.mapping import FieldMapping, MappingError


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"time_zone": "Europe/Londn"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"encoding": "utf-9"}, "encoding"),
        ({"encoding": "base64"}, "encoding"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
        ({"decimal_mark": "'"}, "decimal_mark"),
        ({"decimal_mark": ",", "delimiter": ","}, "decimal_mark"),
        ({"scale": "R"}, "scale"),
        ({"scale_field": "=Rankine"}, "scale_field"),
        ({"temperature_field": "=5"}, "temperature_field"),
        ({"time_field": "=now"}, "time_field"),
        ({"time_format": "dd/mm/yyyy"}, "time_format"),
        ({"null_values": "ERR"}, "null_values"),
        ({"null_values": [1]}, "null_values"),
        ({"unit_field": 5}, "unit_field"),
        ({"skip_until_header": "yes"}, "skip_until_header"),
        ({"unit": "unit_id"}, "unit"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(settings, field):
    with pytest.raises(MappingError) as refusal:
        FieldMapping.from_json(settings)
    assert refusal.value.field == field
    assert field in str(refusal.value)


def test_the_default_mapping_is_empty_as_json():
    assert FieldMapping().is_default
    assert FieldMapping().to_json() == {}
    assert FieldMapping.from_json({}) == FieldMapping()


def test_a_mapping_survives_being_kept_as_json():
    mapping = FieldMapping(unit_field="=Freezer 1", time_zone="Europe/London", null_values=("ERR", "---"), scale="F")
    assert FieldMapping.from_json(mapping.to_json()) == mapping
    assert mapping.to_json()["null_values"] == ["ERR", "---"]
