"""Pushes of readings through gunicorn: `python -m benchmarks --scale pushing`.

100,000 devices of a hundred customers measure every 20 seconds. Either each of them pushes reading by reading, or a
gateway pushes the last minute of a hundred devices at once. Requests per second are ratios to those of `/ping` beside
them, and readings per second are compared with the 5,000 that these devices make, and with the 3,333 points per second
that ThingsBoard publishes for four cores. BENCH_DEVICES names another number of devices.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from alarms.limits.versions import update_versions
from benchmarks.at_scale.pushes import DEVICES_A_CUSTOMER, EVERY, Fleet, Pushes
from benchmarks.measuring.load import Load, Request, load
from benchmarks.measuring.results import Results
from benchmarks.measuring.server import serving
from benchmarks.rest_api import of_connections
from customers.access.tokens import create_token
from customers.models import Customer, Facility, Sensor, StorageUnit

DEVICES = 100_000
DEVICES_A_GATEWAY = 100
READINGS_A_MINUTE = timedelta(minutes=1) // EVERY
CONNECTIONS = (1, 16)
SECONDS = 20.0
PING_SECONDS = 3.0
THINGSBOARD_POINTS_A_SECOND = 3_333
# Cases store readings of different times, so that all of them are new.
APART = timedelta(hours=6)


def run(results: Results) -> None:
    """Measure requests and readings per second of single and bulk pushes."""
    fleet = make_fleet(int(os.environ.get("BENCH_DEVICES") or DEVICES))
    needed = len(fleet.unit_ids) * READINGS_A_MINUTE / 60
    results.title(
        f"{len(fleet.unit_ids):,} devices with {READINGS_A_MINUTE} readings a minute, {needed:,.0f} readings/s"
    )
    now = datetime.now(UTC)
    with serving() as port:
        for number, connections in enumerate(CONNECTIONS):
            pings = load(Request(port, "/ping"), connections=connections, seconds=PING_SECONDS).requests_a_second
            start = now - timedelta(days=3) + number * APART
            single = Pushes(port, fleet, start)
            gateway = Pushes(port, fleet, start + 2 * APART, DEVICES_A_GATEWAY, READINGS_A_MINUTE)
            for name, pushes in (("single", single), (f"gateway, {gateway.readings} readings", gateway)):
                pushed = load(pushes, connections=connections, seconds=SECONDS)
                results.add(
                    f"{name}, {of_connections(connections)}",
                    pushed.requests_a_second * pushes.readings,
                    "readings/s",
                    at_least=needed if connections == max(CONNECTIONS) else None,
                    note=note_on(pushed, pings, pushes.readings),
                )


def note_on(pushed: Load, pings: float, readings: int) -> str:
    """Return what else a case shows; `pings`: requests per second of `/ping`, `readings`: of a push."""
    readings_a_second = pushed.requests_a_second * readings
    return (
        f"{pushed.requests_a_second:,.1f} requests/s, {pushed.requests_a_second / pings:.3f} of ping, "
        f"p99 {pushed.p99_seconds * 1e3:.0f} ms; {readings_a_second * 60 / READINGS_A_MINUTE:,.0f} devices; "
        f"{readings_a_second / THINGSBOARD_POINTS_A_SECOND:.2f} of ThingsBoard"
    )


def make_fleet(devices: int) -> Fleet:
    """Create the customers, each with a facility, its devices with limits, and a token."""
    tokens: list[str] = []
    unit_ids: list[str] = []
    for number in range(-(-devices // DEVICES_A_CUSTOMER)):
        customer = Customer.objects.create(customer_code=f"PUSH{number}", name="Pushes")
        facility = Facility.objects.create(customer=customer, facility_code="facility", time_zone="Europe/London")
        count = min(DEVICES_A_CUSTOMER, devices - len(unit_ids))
        units = StorageUnit.objects.bulk_create(
            StorageUnit(facility=facility, unit_code=f"unit_{unit}") for unit in range(count)
        )
        Sensor.objects.bulk_create(Sensor(storage_unit=unit, sensor_code="1") for unit in units)
        update_versions([unit.pk for unit in units])
        unit_ids += [str(unit.public_id) for unit in units]
        tokens.append(create_token(customer, "benchmark", ["write"])[1])
    return Fleet(unit_ids, tokens)
