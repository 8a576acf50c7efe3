"""Site structures: facilities and units before the first reading."""

from __future__ import annotations

import io
import json

import pytest

from ingestion.parsing.results import UnitDescription, UnreadableBody
from ingestion.parsing.site_structure import parse_site_structure

UNIT = {
    "id": "unit_A_1_1",
    "name": "Ultra-Low Freezer 1",
    "size": 328,
    "size_unit": "sqm",
    "set_temperature": -74.2,
    "temperature_unit": "C",
    "data_frequency": 229,
    "data_quality": {"null_reading": 0.0001},
}
FACILITY = {"id": "facility_A_1", "name": "Pharma Facility 1", "city": "Oxford", "country": "England", "units": [UNIT]}


def structure(*facilities: object) -> list[UnitDescription]:
    answer = {"customer": "A", "customer_name": "Pharma Corp A", "facilities": list(facilities)}
    return parse_site_structure(io.BytesIO(json.dumps(answer).encode()))


def test_a_unit_is_described_completely() -> None:
    assert structure(FACILITY) == [
        UnitDescription(
            facility_code="facility_A_1",
            unit_code="unit_A_1_1",
            unit_name="Ultra-Low Freezer 1",
            facility_name="Pharma Facility 1",
            city="Oxford",
            country="England",
            set_temperature=-74.2,
            temperature_unit="C",
            size_value=328.0,
            size_unit="sqm",
            interval_seconds=229,
        )
    ]


def test_missing_values_are_none() -> None:
    (unit,) = structure({"id": "f", "units": [{"id": 7, "name": None, "temperature_unit": "R", "data_frequency": 0}]})
    assert unit == UnitDescription(facility_code="f", unit_code="7")


def test_entities_without_a_code_are_skipped() -> None:
    assert structure({"id": None, "units": [UNIT]}, 5, {"id": "f"}, {"id": "f", "units": [None, {"name": "x"}]}) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "html_instead_of_data"),
        (b'{"facilities": [', "invalid_json"),
        (b"{,}", "invalid_json"),
        (b'{"customer": "A"}', "no_readings_list"),
    ],
)
def test_an_invalid_structure_is_rejected(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableBody) as error:
        parse_site_structure(io.BytesIO(body))
    assert error.value.reason == reason


def test_a_cut_off_structure_is_rejected() -> None:
    with pytest.raises(UnreadableBody):
        parse_site_structure(io.BytesIO(json.dumps([FACILITY]).encode()), is_cut_off=True)
