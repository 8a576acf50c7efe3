"""Storage units for benchmarks."""

from __future__ import annotations

from customers.models import Customer, Facility, Sensor, StorageUnit


def make_units(count: int, customer_code: str = "BENCH") -> list[tuple[int, int]]:
    """Create `count` units with a sensor each, of one customer in two facilities; return (unit id, sensor id) pairs."""
    customer, _ = Customer.objects.get_or_create(customer_code=customer_code, defaults={"name": "Benchmark"})
    facilities = [
        Facility.objects.get_or_create(
            customer=customer, facility_code=f"facility_{number}", defaults={"time_zone": "Europe/London"}
        )[0]
        for number in range(2)
    ]
    unit_sensors = []
    for number in range(count):
        unit, _ = StorageUnit.objects.get_or_create(facility=facilities[number % 2], unit_code=f"unit_{number}")
        sensor, _ = Sensor.objects.get_or_create(storage_unit=unit, sensor_code=f"sensor_{number}")
        unit_sensors.append((unit.pk, sensor.pk))
    return unit_sensors
