"""The templates of typical customers, and fleets generated from them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from simulator.model.fleet import Customer, DataQuality, Facility, Fleet, Unit

Range = tuple[int, int]


@dataclass(frozen=True)
class Template:
    """What customers of one kind have in common. Ranges include both ends; set temperatures in `temperature_unit`."""

    data_sharing_method: str
    customer_name: str
    facility_name: str
    unit_name: str
    cities: tuple[str, ...]
    facilities: Range
    units_each: Range
    set_temperature: Range
    temperature_unit: str
    size: Range
    size_unit: str
    reading_every_seconds: Range
    data_quality: DataQuality
    share_percent: int

    @property
    def poll_seconds(self) -> int:
        """The interval at which these customers expect to be polled."""
        return 60 if self.data_sharing_method == "api" else 300


TEMPLATES: dict[str, Template] = {
    "pharmaceutical": Template(
        data_sharing_method="api",
        customer_name="Pharma Corp",
        facility_name="Pharma Facility",
        unit_name="Ultra-Low Freezer",
        cities=("London", "Cambridge", "Oxford"),
        facilities=(1, 2),
        units_each=(2, 8),
        set_temperature=(-80, -60),
        temperature_unit="C",
        size=(50, 500),
        size_unit="sqm",
        reading_every_seconds=(60, 300),
        data_quality=DataQuality(null_reading=0.0001),
        share_percent=10,
    ),
    "food_storage": Template(
        data_sharing_method="csv",
        customer_name="Food Storage Ltd",
        facility_name="Cold Storage",
        unit_name="Freezer Unit",
        cities=("Manchester", "Birmingham"),
        facilities=(1, 3),
        units_each=(1, 4),
        set_temperature=(-25, 5),
        temperature_unit="F",
        size=(1_000, 10_000),
        size_unit="sqft",
        reading_every_seconds=(300, 900),
        data_quality=DataQuality(null_reading=0.002, null_name=0.1, null_city=0.2, clock_jitter_seconds=5.0),
        share_percent=40,
    ),
    "small_business": Template(
        data_sharing_method="csv",
        customer_name="Local Business",
        facility_name="Store",
        unit_name="Cold Room",
        cities=("Leeds", "Sheffield"),
        facilities=(1, 1),
        units_each=(1, 2),
        set_temperature=(-20, 0),
        temperature_unit="C",
        size=(100, 1_000),
        size_unit="sqm",
        reading_every_seconds=(600, 1_800),
        data_quality=DataQuality(null_reading=0.01, null_name=0.8, null_city=0.5, clock_jitter_seconds=30.0),
        share_percent=30,
    ),
    "industrial": Template(
        data_sharing_method="api",
        customer_name="Industrial Corp",
        facility_name="Plant",
        unit_name="Industrial Freezer",
        cities=("Newcastle", "Liverpool", "Glasgow", "Cardiff"),
        facilities=(2, 5),
        units_each=(3, 10),
        set_temperature=(-30, 10),
        temperature_unit="F",
        size=(5_000, 50_000),
        size_unit="sqft",
        reading_every_seconds=(300, 600),
        data_quality=DataQuality(null_reading=0.005, clock_jitter_seconds=10.0),
        share_percent=20,
    ),
}

_COUNTRIES = {"Cardiff": "Wales", "Glasgow": "Scotland"}


def customer_code(position: int) -> str:
    """Return the code of the customer at this position, counted from 0: A to Z, then AA, AB, ..."""
    code = ""
    number = position + 1
    while number:
        number, letter = divmod(number - 1, 26)
        code = chr(ord("A") + letter) + code
    return code


def make_fleet(count: int, *, mix: Mapping[str, float] | None = None, seed: int = 0) -> Fleet:
    """Return `count` customers whose templates are drawn with the weights in `mix` (default: each template's share).

    The same arguments make the same fleet. Raises ValueError for a count below 1, an unknown kind or a bad weight.
    """
    if count < 1:
        raise ValueError("a fleet has at least one customer")
    weights = _checked_mix(mix)
    chance = random.Random(f"fleet {seed}")  # noqa: S311 - repeatable on purpose, guards nothing
    kinds = chance.choices(list(weights), weights=list(weights.values()), k=count)
    return Fleet(tuple(make_customer(customer_code(n), kind, seed=seed) for n, kind in enumerate(kinds)))


def make_customer(code: str, kind: str, *, seed: int = 0) -> Customer:
    """Return a customer of a template; the same arguments give the same one. Raise ValueError if unknown."""
    if kind not in TEMPLATES:
        raise ValueError(f"no template {kind!r}; there are {', '.join(TEMPLATES)}")
    template = TEMPLATES[kind]
    chance = random.Random(f"customer {seed} {code} {kind}")  # noqa: S311
    facilities = tuple(
        _make_facility(chance, template, code, number) for number in range(1, chance.randint(*template.facilities) + 1)
    )
    return Customer(
        code=code,
        name=f"{template.customer_name} {code}",
        template=kind,
        data_sharing_method=template.data_sharing_method,
        poll_seconds=template.poll_seconds,
        facilities=facilities,
        data_quality=template.data_quality,
    )


def _make_facility(chance: random.Random, template: Template, customer: str, number: int) -> Facility:
    city = chance.choice(template.cities)
    quality = template.data_quality
    units = tuple(
        _make_unit(chance, template, f"unit_{customer}_{number}_{each}", each)
        for each in range(1, chance.randint(*template.units_each) + 1)
    )
    return Facility(
        code=f"facility_{customer}_{number}",
        name=None if chance.random() < quality.null_name else f"{template.facility_name} {number}",
        city=None if chance.random() < quality.null_city else city,
        country=_COUNTRIES.get(city, "England"),
        units=units,
    )


def _make_unit(chance: random.Random, template: Template, code: str, number: int) -> Unit:
    low, high = template.set_temperature
    return Unit(
        code=code,
        name=None if chance.random() < template.data_quality.null_name else f"{template.unit_name} {number}",
        set_temperature=chance.randint(low * 10, high * 10) / 10,
        temperature_unit=template.temperature_unit,
        size_value=chance.randint(*template.size),
        size_unit=template.size_unit,
        reading_every_seconds=chance.randint(*template.reading_every_seconds),
    )


def _checked_mix(mix: Mapping[str, float] | None) -> Mapping[str, float]:
    if mix is None:
        return {kind: template.share_percent for kind, template in TEMPLATES.items()}
    for kind, weight in mix.items():
        if kind not in TEMPLATES:
            raise ValueError(f"no template {kind!r}; there are {', '.join(TEMPLATES)}")
        if not 0 <= weight < float("inf"):
            raise ValueError(f"the share of {kind} must be 0 or more, not {weight}")
    if not sum(mix.values()) > 0:
        raise ValueError("a mix needs at least one share above 0")
    return mix
