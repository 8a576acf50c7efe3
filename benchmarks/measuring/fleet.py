"""Storage units for benchmarks."""

from __future__ import annotations

from alarms.limits.versions import update_versions
from customers.models import Customer, Facility, Sensor, StorageUnit


def make_units(count: int, customer_code: str = "BENCH") -> list[tuple[int, int]]:
    """Create `count` units with a sensor each, of one customer in two facilities; return (unit id, sensor id) pairs.

    Those that exist already are not created again.
    """
    customer, _ = Customer.objects.get_or_create(customer_code=customer_code, defaults={"name": "Benchmark"})
    facilities = [
        Facility.objects.get_or_create(
            customer=customer, facility_code=f"facility_{number}", defaults={"time_zone": "Europe/London"}
        )[0]
        for number in range(2)
    ]
    units = StorageUnit.objects.filter(facility__in=facilities)
    existing = set(units.values_list("unit_code", flat=True))
    created = StorageUnit.objects.bulk_create(
        StorageUnit(facility=facilities[number % 2], unit_code=f"unit_{number}")
        for number in range(count)
        if f"unit_{number}" not in existing
    )
    Sensor.objects.bulk_create(
        Sensor(storage_unit=unit, sensor_code=unit.unit_code.replace("unit", "sensor")) for unit in created
    )
    update_versions([unit.pk for unit in created])
    pairs = {code: (unit_id, sensor_id) for code, unit_id, sensor_id in units.values_list("unit_code", "pk", "sensors")}
    return [pairs[f"unit_{number}"] for number in range(count)]
