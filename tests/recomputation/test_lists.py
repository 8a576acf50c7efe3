"""Lists of readings with any filters, page by page and as CSV, are the readings that pass the filters one by one."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from customers.models import Sensor, StorageUnit
from tests.recomputation.comparison import API
from tests.recomputation.definition import Reading, celsius, on_scale
from tests.recomputation.fleets import Fleet

pytestmark = pytest.mark.django_db

REQUESTS = 30
# Allowed where a limit on one scale is compared with a temperature sent in another.
TOLERANCE_C = 1e-9
# Of a reading in a list: unit, time and sensor.
Key = tuple[str, datetime, str]


@dataclass
class Query:
    """A filter as parameters, and as conditions of the readings that pass it."""

    parameters: dict[str, str] = field(default_factory=dict)
    conditions: list[Callable[[Reading], bool]] = field(default_factory=list)

    def add(self, condition: Callable[[Reading], bool], **parameters: object) -> None:
        """Add a condition with its parameters."""
        self.parameters |= {name: str(value) for name, value in parameters.items()}
        self.conditions.append(condition)

    def passes(self, reading: Reading) -> bool:
        """Return whether a reading meets all conditions."""
        return all(condition(reading) for condition in self.conditions)


def drawn_query(drawn: random.Random, readings: list[Reading]) -> Query:
    """Return a random filter, often by the very values of a reading."""
    query = Query()
    start, end = sorted(each.at for each in drawn.sample(readings, 2))
    if drawn.random() < 0.5:
        query.add(lambda reading: reading.at >= start, start_date=start.isoformat())
    if drawn.random() < 0.5:
        query.add(lambda reading: reading.at <= end, end_date=end.isoformat())
    if drawn.random() < 0.3:
        add_temperature(drawn, query, drawn.choice([each for each in readings if each.value is not None]))
    if drawn.random() < 0.2:
        status = drawn.choice(["Normal", "defrost", "none such"])
        query.add(lambda reading: reading.status == status.lower(), equipment_status=status)
    quality = drawn.choice([0.5, 0.8, 0.9, 1.0])
    if drawn.random() < 0.1:
        query.add(lambda reading: reading.quality == quality, quality_score=quality)
    elif drawn.random() < 0.1:
        query.add(lambda reading: reading.quality >= quality, min_quality_score=quality)
    if drawn.random() < 0.2:
        query.add(lambda reading: reading.sensor == "sensor 1", sensor_id="sensor 1")
    return query


def add_temperature(drawn: random.Random, query: Query, like: Reading) -> None:
    """Limit the temperature to that of a reading, in the scale it was sent in or in another."""
    scale = drawn.choice(["C", "F", "K", like.scale])
    value = like.value if scale == like.scale else round(on_scale(like.temperature_c, scale) or 0.0, 6)
    assert value is not None
    limit_c = celsius(value, scale)
    if drawn.random() < 0.5:
        query.add(
            lambda reading: reading.temperature_c is not None and reading.temperature_c >= limit_c - TOLERANCE_C,
            min_temperature=value,
            temperature_unit=scale,
        )
    else:
        query.add(
            lambda reading: reading.temperature_c is not None and reading.temperature_c <= limit_c + TOLERANCE_C,
            max_temperature=value,
            temperature_unit=scale,
        )


def test_lists_with_any_filter(fleet: Fleet, is_refreshed: bool) -> None:
    drawn = random.Random(REQUESTS)
    every = [(stored, reading) for stored, unit in fleet.known().items() for reading in unit.readings]
    sensors = {(each.storage_unit_id, each.sensor_code): each.pk for each in Sensor.objects.all()}
    for _ in range(REQUESTS):
        path, is_listed = drawn_path(drawn, drawn.choice(list(fleet.units)))
        query = drawn_query(drawn, [reading for _, reading in every])
        found = [(stored, reading) for stored, reading in every if is_listed(stored) and query.passes(reading)]
        found.sort(key=lambda row: (row[1].at, row[0].pk, sensors[row[0].pk, row[1].sensor]), reverse=True)
        expected = [(str(stored.public_id), reading.at, reading.sensor) for stored, reading in found]
        limit, offset = drawn.choice([7, 40, 300]), drawn.choice([0, 0, 5, len(expected) // 2])

        assert_pages(fleet, path, query.parameters | {"limit": str(limit), "offset": str(offset)}, expected)
        assert streamed(fleet, path, query.parameters) == expected


def drawn_path(drawn: random.Random, stored: StorageUnit) -> tuple[str, Callable[[StorageUnit], bool]]:
    """Return the path of a list that contains the unit, and which units it is of."""
    facility = stored.facility
    choices: list[tuple[str, Callable[[StorageUnit], bool]]] = [
        ("temperature", lambda _: True),
        (f"temperature/facility/{facility.public_id}", lambda each: each.facility_id == facility.pk),
        (f"temperature/unit/{stored.public_id}", lambda each: each == stored),
    ]
    return drawn.choice(choices)


def assert_pages(fleet: Fleet, path: str, parameters: dict[str, str], expected: list[Key]) -> None:
    """Compare some pages, each the `next` of the one before, and the one before the last of them."""
    pages: list[dict[str, Any]] = []
    limit, offset = int(parameters["limit"]), int(parameters["offset"])
    url: str | None = f"{API}/{path}?{urlencode(parameters)}"
    while url and len(pages) < 5:
        page = fleet.client.get(url).json()
        assert (page["total"], page["pages"]) == (len(expected), -(-len(expected) // limit))
        first = offset + len(pages) * limit
        assert [key_of(item) for item in page["items"]] == expected[first : first + limit]
        pages.append(page)
        url = page["next"]
    assert (url is None) == (offset + len(pages) * limit >= len(expected))
    if len(pages) > 1:
        assert fleet.client.get(pages[-1]["previous"]).json()["items"] == pages[-2]["items"]


def streamed(fleet: Fleet, path: str, parameters: dict[str, str]) -> list[Key]:
    response: Any = fleet.client.get(f"{API}/{path}", parameters | {"format": "csv"})
    return [key_of(row) for row in csv.DictReader(io.StringIO(response.getvalue().decode()))]


def key_of(item: dict[str, Any]) -> Key:
    return item["storage_unit_id"], datetime.fromisoformat(item["recorded_at"]), item["sensor_id"]
