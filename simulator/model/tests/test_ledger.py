from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.base.clock import SetClock
from simulator.base.instants import HOUR, MINUTE, microseconds_of, parse_moment
from simulator.conftest import NOON, NOON_US
from simulator.model.faults import FAULT_KINDS, Fault, make_fault
from simulator.model.fleet import Customer, DataQuality, Fleet
from simulator.model.fleet_file import load_fleet
from simulator.model.simulation import SimulatedCustomer, Simulation
from simulator.model.transport import TransportSettings
from simulator.tests.asking import get, post
from simulator.tests.serving import Serve
from tests.responses import Json

CUSTOMERS = Simulation(load_fleet("default"), seed=7, clock=SetClock(NOON)).customers


def counted(readings: list[dict[str, str]]) -> Json:
    """Compute the ledger's units from bodies."""
    units: Json = {}
    for reading in readings:
        unit = units.setdefault(reading["unit_id"], {"count": 0, "nulls": 0, "sum_thousandths": 0, "instants": []})
        unit["count"] += 1
        if reading["temperature"] in (None, ""):
            unit["nulls"] += 1
        else:
            unit["sum_thousandths"] += round(float(reading["temperature"]) * 1_000)
        unit["instants"].append(parse_moment(reading["timestamp"]))
    for unit in units.values():
        instants = unit.pop("instants")
        unit["first"], unit["last"] = min(instants), max(instants)
    return units


def as_counted(ledger: Json) -> Json:
    """Return the ledger's non-empty units without what bodies do not contain."""
    return {
        code: {
            "count": unit["count"],
            "nulls": unit["nulls"],
            "sum_thousandths": unit["sum_thousandths"],
            "first": datetime.fromisoformat(unit["first"]),
            "last": datetime.fromisoformat(unit["last"]),
        }
        for code, unit in ledger["units"].items()
        if unit["count"]
    }


def total_of(served: SimulatedCustomer, start_us: int, end_us: int) -> Json:
    return served.ledger(start_us, end_us)["total"]


SPAN = "2026-11-22T12:00:00", "2026-11-23T11:00:00"


@pytest.mark.parametrize("code", list("ABCDEFGHIJ"))
def test_the_ledger_equals_a_count_of_the_bodies(served_fleet: dict[str, str], code: str) -> None:
    start, end = SPAN
    url = served_fleet[code]
    ledger = get(f"{url}/ledger?start={start}&end={end}").json()
    expected = as_counted(ledger)
    assert counted(get(f"{url}/temperature/current?since={start}&until={end}").json()["readings"]) == expected
    assert counted(get(f"{url}/data/download.csv?since={start}&until={end}").csv()) == expected
    assert len(ledger["units"]) == CUSTOMERS[code].customer.unit_count
    for name in ("count", "nulls", "sum_thousandths"):
        assert ledger["total"][name] == sum(unit[name] for unit in ledger["units"].values())


def test_the_ledgers_form(serve: Serve, freezer: Customer) -> None:
    url, served = serve(freezer)
    ledger = get(f"{url}/ledger?start=2026-11-23T11:00:00Z&end=2026-11-23T11:30:00Z").json()
    (unit,) = ledger.pop("units").values()
    total = ledger.pop("total")
    assert ledger == {
        "customer": "Z",
        "start": "2026-11-23T11:00:00+00:00",
        "end": "2026-11-23T11:30:00+00:00",
        "now": "2026-11-23T12:00:00+00:00",
        "garbage_rows": 0,
    }
    assert unit == {"sensor_id": served.all_series[0].sensor_id, "temperature_unit": "C", **total}
    assert list(total) == ["count", "nulls", "sum_thousandths", "first", "last"]
    assert total["count"] == 30


def test_the_ledger_of_an_empty_span_is_empty(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    total = get(f"{url}/ledger?start=2026-11-23T13:00:00&end=2026-11-23T14:00:00").json()["total"]
    assert total == {"count": 0, "nulls": 0, "sum_thousandths": 0, "first": None, "last": None}


def test_the_ledger_never_runs_ahead_of_the_simulated_now(serve: Serve, freezer: Customer, clock: SetClock) -> None:
    url, _ = serve(freezer)
    ahead = f"{url}/ledger?start=2026-11-23T11:00:00&end=2026-11-24T11:00:00"
    assert get(ahead).json()["total"]["count"] == 60
    clock.advance(minutes=5)
    assert get(ahead).json()["total"]["count"] == 65


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(list(CUSTOMERS.values())),
    st.integers(NOON_US - 400 * 24 * HOUR, NOON_US),
    st.lists(st.integers(0, 48 * HOUR), min_size=1, max_size=4),
)
def test_ledgers_of_neighbouring_spans_add_up(served: SimulatedCustomer, start_us: int, lengths_us: list[int]) -> None:
    edges = [start_us]
    for length_us in lengths_us:
        edges.append(edges[-1] + length_us)
    parts = [total_of(served, a, b) for a, b in pairwise(edges)]
    whole = total_of(served, edges[0], edges[-1])
    for name in ("count", "nulls", "sum_thousandths"):
        assert whole[name] == sum(part[name] for part in parts)


faults = st.lists(
    st.builds(
        lambda kind, ago, minutes, offset: make_fault(
            "unit_Z_1_1", kind, NOON - timedelta(minutes=ago), minutes, offset if kind == "clock_wrong" else 0.0
        ),
        st.sampled_from(FAULT_KINDS),
        st.integers(-60, 24 * 60),
        st.integers(1, 600),
        st.integers(1, 7_200) | st.integers(-7_200, -1),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(faults, st.integers(0, 24 * 60), st.integers(0, 24 * 60), st.sampled_from(["iso", "space"]))
def test_the_ledger_includes_the_effects_of_faults(
    scheduled: list[Fault], ago: int, minutes: int, timestamps: str
) -> None:
    served = served_freezer(timestamps)
    for fault in scheduled:
        served.schedule(fault)
    start_us = NOON_US - ago * MINUTE
    end_us = start_us + minutes * MINUTE
    everything = served.all_series[0].between(NOON_US - 48 * HOUR, NOON_US + 1, served.faults_of("unit_Z_1_1"))
    inside = everything.where((everything.recorded_us >= start_us) & (everything.recorded_us < end_us))
    total = total_of(served, start_us, end_us)
    assert total["count"] == inside.size
    assert total["nulls"] == inside.size - int(inside.measured.sum())
    assert total["sum_thousandths"] == int(inside.thousandths.sum())
    instants = inside.recorded_us.tolist()
    assert total["first"] is None or microseconds_of(datetime.fromisoformat(total["first"])) == min(instants)
    assert total["last"] is None or microseconds_of(datetime.fromisoformat(total["last"])) == max(instants)


def served_freezer(timestamps: str) -> SimulatedCustomer:
    plain = load_fleet("assignment").customers[0]
    facility = plain.facilities[0]
    unit = replace(facility.units[0], code="unit_Z_1_1", reading_every_seconds=60)
    customer = replace(
        plain,
        facilities=(replace(facility, units=(unit,)),),
        timestamps=timestamps,
        data_quality=DataQuality(null_reading=0.05, clock_jitter_seconds=10.0),
    )
    return Simulation(Fleet((customer,)), seed=7, clock=SetClock(NOON)).customers["A"]


def test_without_an_end_the_ledger_holds_what_a_wrong_clock_dated_ahead(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer)
    fault = {"kind": "clock_wrong", "start": "2026-11-23T11:30:00", "duration_minutes": 10, "offset_seconds": 7_200}
    post(f"{url}/simulate/fault/unit_Z_1_1", fault)
    total = get(f"{url}/ledger?start=2026-11-23T11:00:00").json()["total"]
    assert total["count"] == 60
    assert total["last"].startswith("2026-11-23T13:39")
    assert get(f"{url}/ledger?start=2026-11-23T11:00:00&end=2026-11-23T12:00:00").json()["total"]["count"] == 50


def test_the_ledger_ignores_lateness(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, transport=TransportSettings(late_seconds=3_600.0))
    assert get(f"{url}/ledger?start=2026-11-23T11:00:00").json()["total"]["count"] == 60
    assert get(f"{url}/temperature/current?hours=1").json()["reading_count"] < 50


def test_the_ledger_counts_whole_degrees_where_they_are_sent(serve: Serve, freezer: Customer) -> None:
    url, _ = serve(freezer, whole_degrees=True)
    assert get(f"{url}/ledger").json()["total"]["sum_thousandths"] % 1_000 == 0
    assert isinstance(get(f"{url}/temperature/current").json()["readings"][0]["temperature"], int)
