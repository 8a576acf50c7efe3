"""An invalid mapping is rejected with the name of the setting."""

from __future__ import annotations

from typing import Any

import pytest

from ingestion.sources import SettingError
from ingestion.sources.mapping import FieldMapping


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
        ({"null_values": ["ERR"]}, "null_values"),
        ({"null_values": (1,)}, "null_values"),
        ({"unit_field": 5}, "unit_field"),
        ({"skip_until_header": "yes"}, "skip_until_header"),
    ],
)
def test_an_invalid_setting_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingError) as error:
        FieldMapping(**settings)
    assert error.value.field == field
    assert field in str(error.value)


def test_a_mapping_without_settings_is_the_default() -> None:
    assert FieldMapping().is_default
    assert not FieldMapping(null_values=("ERR",)).is_default
