from __future__ import annotations

from typing import Any

import pytest

from simulator.model.templates import TEMPLATES, customer_code, make_customer, make_fleet


@pytest.mark.parametrize(("position", "code"), [(0, "A"), (9, "J"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_customers_are_lettered_like_the_columns_of_a_sheet(position: int, code: str) -> None:
    assert customer_code(position) == code


@pytest.mark.parametrize("kind", TEMPLATES)
def test_customers_keep_within_their_templates_ranges(kind: str) -> None:
    template = TEMPLATES[kind]
    for number in range(50):
        customer = make_customer(customer_code(number), kind, seed=3)
        assert customer.data_sharing_method == template.data_sharing_method
        assert template.facilities[0] <= len(customer.facilities) <= template.facilities[1]
        for facility in customer.facilities:
            assert template.units_each[0] <= len(facility.units) <= template.units_each[1]
            assert facility.city is None or facility.city in template.cities
        for _, unit in customer.located_units():
            assert template.set_temperature[0] <= unit.set_temperature <= template.set_temperature[1]
            assert template.size[0] <= unit.size_value <= template.size[1]
            low, high = template.reading_every_seconds
            assert low <= unit.reading_every_seconds <= high
            assert (unit.temperature_unit, unit.size_unit) == (template.temperature_unit, template.size_unit)


def test_the_same_seed_makes_the_same_fleet_and_another_seed_another() -> None:
    assert make_fleet(20, seed=1) == make_fleet(20, seed=1)
    assert make_fleet(20, seed=1) != make_fleet(20, seed=2)


def test_the_default_mix_is_kept() -> None:
    kinds = [customer.template for customer in make_fleet(2_000, seed=1).customers]
    for kind, template in TEMPLATES.items():
        assert kinds.count(kind) / 20 == pytest.approx(template.share_percent, abs=4)


def test_a_given_mix_is_kept() -> None:
    kinds = {customer.template for customer in make_fleet(50, mix={"pharmaceutical": 1, "industrial": 0}).customers}
    assert kinds == {"pharmaceutical"}


def test_all_codes_of_a_large_fleet_are_different() -> None:
    fleet = make_fleet(1_000, seed=1)
    codes = [unit.code for customer in fleet.customers for _, unit in customer.located_units()]
    assert len(set(codes)) == len(codes) == fleet.unit_count


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"count": 0}, "at least one"),
        ({"count": 5, "mix": {"bakery": 1}}, "no template 'bakery'"),
        ({"count": 5, "mix": {"industrial": -1}}, "0 or more"),
        ({"count": 5, "mix": {"industrial": 0}}, "above 0"),
    ],
)
def test_invalid_arguments_are_rejected_with_the_reason(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_fleet(**arguments)
