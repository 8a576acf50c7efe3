from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from simulator.conftest import NOON
from simulator.model.fleet import CsvDialect, Customer, DataQuality, Fleet, ScriptedFault
from simulator.model.fleet_file import FleetError, fleet_from, load_fleet, save_fleet, shipped_fleets
from simulator.model.templates import make_fleet
from simulator.model.transport import TransportSettings


def document(**changes: object) -> list[dict[str, object]]:
    unit: dict[str, object] = {
        "code": "u1",
        "name": None,
        "set_temperature": -20.0,
        "temperature_unit": "C",
        "size_value": 100,
        "size_unit": "sqm",
        "reading_every_seconds": 60,
    }
    facility: dict[str, object] = {"code": "f1", "name": None, "city": None, "country": "England", "units": [unit]}
    customer: dict[str, object] = {
        "code": "Z",
        "name": "Customer Z",
        "template": None,
        "data_sharing_method": "api",
        "poll_seconds": 60,
        "facilities": [facility],
    }
    for name, value in changes.items():
        target = unit if name in unit and name != "code" else facility if name in ("time_zone", "units") else customer
        target[name] = value
    return [customer]


def test_the_default_fleet_has_the_documented_size() -> None:
    fleet = load_fleet("default")
    assert (len(fleet.customers), fleet.facility_count, fleet.unit_count) == (10, 21, 94)
    methods = {customer.code: customer.data_sharing_method for customer in fleet.customers}
    assert "".join(code for code in methods if methods[code] == "api") == "ACDF"
    assert "".join(code for code in methods if methods[code] == "csv") == "BEGHIJ"
    assert {(c.data_sharing_method, c.poll_seconds) for c in fleet.customers} == {("api", 60), ("csv", 300)}


def test_the_fleet_of_the_assignment_has_its_two_customers() -> None:
    first, second = load_fleet("assignment").customers
    assert [(u.name, u.size_value, u.set_temperature, u.reading_every_seconds) for _, u in first.located_units()] == [
        (None, 930, -20.0, 300)
    ]
    assert (first.data_sharing_method, first.poll_seconds) == ("csv", 86_400)
    assert [(u.name, u.size_value, u.set_temperature) for _, u in second.located_units()] == [
        ("Deep Freeze 1", 50_000, 0.0),
        ("Chilled Room 1", 10_000, 0.0),
        ("Chilled Room 2", 5_000, 45.0),
    ]
    assert (second.data_sharing_method, second.poll_seconds, second.whole_degrees) == ("api", 900, True)


@pytest.mark.parametrize("name", shipped_fleets())
def test_a_shipped_fleet_survives_being_saved(name: str, tmp_path: Path) -> None:
    save_fleet(load_fleet(name), tmp_path / "fleet.json")
    assert load_fleet(tmp_path / "fleet.json") == load_fleet(name)


def test_a_generated_fleet_survives_being_saved(tmp_path: Path) -> None:
    fleet = make_fleet(30, seed=5)
    save_fleet(fleet, tmp_path / "fleet.json")
    assert load_fleet(tmp_path / "fleet.json") == fleet


def test_every_setting_of_a_customer_survives_being_saved(tmp_path: Path, freezer: Customer) -> None:
    customer = replace(
        freezer,
        data_quality=DataQuality(0.1, 0.2, 0.3, 4.0),
        envelope="items",
        csv_form="older",
        csv_dialect=CsvDialect(delimiter=";", decimal=",", encoding="latin-1", gzip=True, trailer="summary"),
        timestamps="space",
        whole_degrees=True,
        sends_equipment_status=True,
        transport=TransportSettings(cut_off=0.5),
        faults=(
            ScriptedFault("unit_Z_1_1", "door_open", 30.0, start=NOON),
            ScriptedFault("unit_Z_1_1", "clock_wrong", 30.0, after_minutes=5.0, offset_seconds=60.0),
        ),
    )
    save_fleet(Fleet((customer,)), tmp_path / "fleet.json")
    assert load_fleet(tmp_path / "fleet.json").customers == (customer,)


def test_a_customers_unreliability_is_its_templates_unless_the_file_says_otherwise() -> None:
    customer = fleet_from(document(template="small_business", data_quality={"null_reading": 0.5})).customers[0]
    assert customer.data_quality == DataQuality(0.5, 0.8, 0.5, 30.0)


def test_a_scripted_fault_begins_some_minutes_after_the_simulator() -> None:
    entry = {"unit": "u1", "kind": "door_open", "duration_minutes": 30, "after_minutes": 5}
    fault = fleet_from(document(faults=[entry])).customers[0].faults[0]
    assert fault.starts_at(NOON) == NOON + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"a": 1}, "list of customers"),
        ([5], "must be an object"),
        (document() * 2, "'Z' occurs twice"),
        (document(data_sharing_method="fax"), "data_sharing_method must be one of api, csv"),
        (document(template="bakery"), "template must be one of"),
        (document(colour="blue"), "unknown colour"),
        (document(facilities=[]), "at least one entry"),
        (document(units=[]), "at least one entry"),
        (document(temperature_unit="K"), "temperature_unit must be one of C, F"),
        (document(reading_every_seconds=0), "1 or more"),
        (document(reading_every_seconds=2.5), "whole number"),
        (document(set_temperature="cold"), "must be a number"),
        (document(size_value=0), "above 0"),
        (document(time_zone="Mars/Olympus"), "no such time zone"),
        (document(transport={"cut_off": 2}), "from 0 to 1"),
        (document(poll_seconds="often"), "poll_seconds must be a number"),
        (document(poll_seconds=10**400), "poll_seconds must be a number"),
        (document(set_temperature=1e300), "set_temperature must be a number of at most 1,000,000,000"),
        (document(reading_every_seconds=10**12), "reading_every_seconds must be a number"),
        (document(transport={"late_seconds": 1e300}), "late_seconds must be a number from 0 to 1,000,000,000"),
        (document(transport={"late_seconds": 10**400}), "late_seconds must be a number"),
        (document(faults=[{"unit": "u1", "kind": "door_open", "duration_minutes": 10**400}]), "must be a number"),
        (
            document(faults=[{"unit": "u1", "kind": "door_open", "duration_minutes": 5, "after_minutes": 1e300}]),
            "after_minutes must be a number",
        ),
        (document(data_quality={"null_name": 2}), "chances from 0 to 1"),
        (document(data_quality=[1]), "must be an object"),
        (document(faults=[{"unit": "u1", "kind": "door_open", "duration_minutes": 0}]), "above 0"),
        (document(csv_dialect={"trailer": "song"}), "trailer must be one of"),
        (document(faults=[{"unit": "u9", "kind": "door_open", "duration_minutes": 5}]), "unknown unit 'u9'"),
        (document(faults=[{"unit": "u1", "kind": "fire", "duration_minutes": 5}]), "kind must be one of"),
        (document(faults=[{"unit": "u1", "kind": "door_open", "duration_minutes": 5, "start": "x"}]), "not an instant"),
    ],
)
def test_an_invalid_fleet_is_rejected_with_the_place_and_the_reason(broken: object, reason: str) -> None:
    with pytest.raises(FleetError, match=reason):
        fleet_from(broken)


def test_a_missing_fleet_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="shipped fleets are assignment, default"):
        load_fleet(tmp_path / "none.json")


def test_a_file_that_is_not_json_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text("customers: none")
    with pytest.raises(FleetError, match="is not JSON"):
        load_fleet(tmp_path / "fleet.json")


def test_a_missing_field_is_named() -> None:
    broken = json.loads(json.dumps(document()))
    del broken[0]["poll_seconds"]
    with pytest.raises(FleetError, match="poll_seconds"):
        fleet_from(broken)
