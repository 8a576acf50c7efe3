"""Resolve the codes in deliveries to ids of units and sensors, registering new ones.

Values entered by people are never overwritten: a description only fills in missing values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from alarms.models.limit_locks import hold_shared_limits, hold_shared_limits_at_once
from audit.context import stating_reason
from core.db.prepared import Prepared
from customers.models import DEFAULT_INTERVAL_SECONDS, MAX_INTERVAL_SECONDS, Customer, Facility, Sensor, StorageUnit
from customers.signals import send_units_changed, unit_attributes
from ingestion.loading.known_units import UnitPlace, sensors_of, units_at
from ingestion.models import Source, SourceUnit
from ingestion.parsing.limits import MAX_CUSTOMERS, exceeded
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnitDescription, UnitKey
from ingestion.parsing.row_groups import SensorKey

# The facility of units without a facility whose source has no default.
UNNAMED_FACILITY_CODE = "main"


@dataclass(frozen=True, slots=True)
class ResolvedSensor:
    """The ids of a (facility, unit, sensor), and since when the sensor is retired, if it is."""

    storage_unit_id: int
    sensor_id: int
    retired_at: datetime | None = None


class Register:
    """Looks up and registers the facilities, units and sensors of one delivery, within its transaction."""

    def __init__(
        self,
        customer: Customer,
        source: Source | None,
        *,
        max_sensors: int | None = None,
        time_zone: str = "UTC",
        may_wait: bool = True,
    ) -> None:
        """`max_sensors` limits the units and the sensors that the delivery may name; None does not limit them.

        `time_zone` is that of facilities that are registered without a source. Without `may_wait`, registering units
        raises ConflictError while limits that units share are being changed.
        """
        self._may_wait = may_wait
        self._max_sensors = max_sensors
        self._customer = customer
        self._source = source
        self.default_facility_code = source.default_facility_code if source else ""
        self._registers_units = source.registers_units if source else True
        self._time_zone = source.facility_time_zone if source else time_zone
        self._units: dict[UnitKey, StorageUnit] = {}
        # Without a facility, and one of several units.
        self._unclear: set[UnitKey] = set()
        self._sensors: dict[tuple[int, str], tuple[int, datetime | None]] = {}

    @property
    def time_zones(self) -> dict[UnitKey, str]:
        """The time zones of the facilities of the units found so far."""
        return {key: unit.facility.time_zone for key, unit in self._units.items()}

    def resolve(
        self, keys: Collection[SensorKey], descriptions: Mapping[UnitKey, UnitDescription]
    ) -> dict[SensorKey, ResolvedSensor | Reason]:
        """Return the ids of each key, or the reason why its rows can't be stored."""
        found = self._find_units({(facility, unit) for facility, unit, _ in keys}, descriptions)
        self._find_sensors({(unit.pk, key[2]) for key in keys if isinstance(unit := found[key[:2]], StorageUnit)})
        return {key: self._resolve(found[key[:2]], key[2]) for key in keys}

    def register(self, descriptions: Iterable[UnitDescription]) -> None:
        """Register the facilities and units of a customer's structure, even if the source registers none from rows."""
        described = {(each.facility_code, each.unit_code): each for each in descriptions}
        self._registers_units = True
        self._find_units(described.keys(), described)

    def _resolve(self, unit: StorageUnit | Reason, sensor_code: str) -> ResolvedSensor | Reason:
        if not isinstance(unit, StorageUnit):
            return unit
        sensor = self._sensors.get((unit.pk, sensor_code))
        return Reason.UNKNOWN_SENSOR if sensor is None else ResolvedSensor(unit.pk, *sensor)

    def _find_units(
        self, keys: Collection[UnitKey], descriptions: Mapping[UnitKey, UnitDescription]
    ) -> dict[UnitKey, StorageUnit | Reason]:
        self._look_up({key for key in keys if key not in self._units})
        missing = [key for key in keys if key not in self._units and key not in self._unclear]
        self._refuse_too_many(len(self._units) + len(missing))
        if missing and self._registers_units:
            self._register_units(missing, descriptions)
            self._look_up(set(missing))
        self._fill_in({key: descriptions[key] for key in keys if key in self._units and key in descriptions})
        return {key: self._units.get(key) or self._unknown_reason(key) for key in keys}

    def place_of(self, key: UnitKey) -> UnitPlace | None:
        """Return where a unit is looked for; None if no facility is known."""
        facility_code = key[0] or self.default_facility_code
        return (self._customer.pk, facility_code, key[1]) if facility_code else None

    def know(
        self,
        keys: Iterable[UnitKey],
        units: Mapping[UnitPlace, StorageUnit],
        sensors: Mapping[tuple[int, str], tuple[int, datetime | None]],
    ) -> None:
        """Take over units and sensors that were looked up in advance, those of other deliveries included."""
        self._units |= {key: unit for key in keys if (place := self.place_of(key)) and (unit := units.get(place))}
        own = {unit.pk for unit in self._units.values()}
        self._sensors |= {key: sensor for key, sensor in sensors.items() if key[0] in own}

    def _look_up(self, keys: set[UnitKey]) -> None:
        places = {key: place for key in keys if (place := self.place_of(key))}
        units = units_at(set(places.values()))
        self._units |= {key: unit for key, place in places.items() if (unit := units.get(place))}
        self._look_up_by_unit_code(keys - places.keys())

    def _look_up_by_unit_code(self, keys: set[UnitKey]) -> None:
        """Look up units of which no facility is known, by their own code.

        Of several with the same code it is the one that the source has delivered, else unclear.
        """
        if not keys:
            return
        units = StorageUnit.objects.filter(
            facility__customer=self._customer, unit_code__in={unit_code for _, unit_code in keys}
        ).select_related("facility")
        by_code: dict[str, list[StorageUnit]] = {}
        for unit in units:
            by_code.setdefault(unit.unit_code, []).append(unit)
        for key in keys:
            of_code = by_code.get(key[1], [])
            own = of_code if len(of_code) < 2 else self._delivered(of_code)
            if len(own) == 1:
                self._units[key] = own[0]
            elif of_code:
                self._unclear.add(key)

    def _delivered(self, units: Sequence[StorageUnit]) -> list[StorageUnit]:
        """Return those of the units of which the source has delivered readings."""
        links = SourceUnit.objects.filter(source=self._source, storage_unit__in=units)
        delivered = set(links.values_list("storage_unit_id", flat=True))
        return [unit for unit in units if unit.pk in delivered]

    def _unknown_reason(self, key: UnitKey) -> Reason:
        facility_code = key[0] or self.default_facility_code
        if key in self._unclear:
            return Reason.UNKNOWN_FACILITY
        if facility_code and not self._customer.facilities.filter(facility_code=facility_code).exists():
            return Reason.UNKNOWN_FACILITY
        return Reason.UNKNOWN_UNIT

    def _register_units(self, keys: list[UnitKey], descriptions: Mapping[UnitKey, UnitDescription]) -> None:
        empty = UnitDescription(facility_code=None, unit_code="")
        described = {key: descriptions.get(key, empty) for key in keys}
        facility_codes = {key: self._facility_code(key) for key in keys}
        Facility.objects.bulk_create(
            {
                facility_codes[key]: Facility(
                    customer=self._customer,
                    facility_code=facility_codes[key],
                    name=each.facility_name or "",
                    city=each.city or "",
                    country=each.country or "",
                    time_zone=self._time_zone,
                )
                for key, each in described.items()
            }.values(),
            ignore_conflicts=True,
        )
        facilities = {
            facility.facility_code: facility
            for facility in self._customer.facilities.filter(facility_code__in=facility_codes.values())
        }
        # Nobody sees these units before the transaction ends, and could give them limits that change meanwhile.
        hold_shared_limits() if self._may_wait else hold_shared_limits_at_once()
        StorageUnit.objects.bulk_create(
            [_new_unit(facilities[facility_codes[key]], key[1], each) for key, each in described.items()],
            ignore_conflicts=True,
        )

    def _facility_code(self, key: UnitKey) -> str:
        return key[0] or self.default_facility_code or UNNAMED_FACILITY_CODE

    def _fill_in(self, descriptions: Mapping[UnitKey, UnitDescription]) -> None:
        changed = {
            self._units[key].pk: each for key, each in descriptions.items() if _fill_in_unit(self._units[key], each)
        }
        if changed:
            fill_in_units(changed)
        facilities = {
            facility.pk: facility
            for key, each in descriptions.items()
            if _fill_in_facility(facility := self._units[key].facility, each)
        }
        Facility.objects.bulk_update(facilities.values(), ["name", "city", "country"])

    def _find_sensors(self, keys: set[tuple[int, str]]) -> None:
        missing = keys - self._sensors.keys()
        self._refuse_too_many(len(self._sensors) + len(missing))
        self._sensors |= sensors_of(missing)
        missing -= self._sensors.keys()
        if missing and self._registers_units:
            sensors = [Sensor(storage_unit_id=unit_id, sensor_code=code) for unit_id, code in sorted(missing)]
            Sensor.objects.bulk_create(sensors, ignore_conflicts=True)
            self._sensors |= sensors_of(missing)

    def _refuse_too_many(self, count: int) -> None:
        if self._max_sensors is not None and count > self._max_sensors:
            raise exceeded(f"it names more than {self._max_sensors:,} storage units or sensors")


def other_customer_test(customer: Customer) -> Callable[[str], bool | None]:
    """Return a function that tells whether a name in a row is the code of another customer of this system.

    None for a name that is nobody's code: usually that of the customer in its own system, so that its rows are stored,
    and the delivery has a note. One query for each name other than its code; the function raises UnreadableBody
    (too_large) for more than MAX_CUSTOMERS.
    """

    @cache
    def is_other_customer(name: str) -> bool | None:
        if name in (customer.customer_code, customer.name):
            return False
        if is_other_customer.cache_info().misses > MAX_CUSTOMERS:
            raise exceeded(f"it names more than {MAX_CUSTOMERS:,} customers")
        return Customer.objects.filter(customer_code=name).exists() or None

    return is_other_customer


def other_customer_test_of_all(customer: Customer) -> Callable[[str], bool | None]:
    """Return what `other_customer_test` returns, with all codes fetched at once, for parsing without the database."""
    codes = frozenset(Customer.objects.exclude(pk=customer.pk).values_list("customer_code", flat=True))
    return lambda name: False if name in (customer.customer_code, customer.name) else name in codes or None


def fill_in_units(descriptions: Mapping[int, UnitDescription]) -> None:
    """Save described values of units, by their ids, where the units have none."""
    units = list(StorageUnit.objects.filter(pk__in=descriptions).order_by("pk").select_for_update(no_key=True))
    before = {unit.pk: unit_attributes(unit) for unit in units}
    for unit in units:
        _fill_in_unit(unit, descriptions[unit.pk])
    # A push must not fail because its customer requires reasons of people.
    with stating_reason("As described by the customer's system."):
        StorageUnit.objects.bulk_update(
            units, ["name", "set_temperature", "temperature_unit", "size_value", "size_unit", "interval_seconds"]
        )
        send_units_changed(units, before)


def _new_unit(facility: Facility, unit_code: str, described: UnitDescription) -> StorageUnit:
    """Return a unit with the described values, on the scale of its readings."""
    unit = StorageUnit(facility=facility, unit_code=unit_code)
    unit.temperature_unit = described.temperature_unit or unit.temperature_unit
    _fill_in_unit(unit, described)
    return unit


def _fill_in_unit(unit: StorageUnit, described: UnitDescription) -> bool:
    """Fill in missing values of `unit`; return whether any changed."""
    before = (unit.name, unit.set_temperature, unit.size_value, unit.interval_seconds)
    unit.name = unit.name or (described.unit_name or "")
    if unit.set_temperature is None and described.set_temperature is not None:
        unit.set_temperature = described.set_temperature
        unit.temperature_unit = described.temperature_unit or unit.temperature_unit
    if unit.size_value is None and described.size_value is not None:
        unit.size_value = described.size_value
        unit.size_unit = (described.size_unit or "")[:20]
    interval = described.interval_seconds
    if interval and 1 <= interval <= MAX_INTERVAL_SECONDS and unit.interval_seconds == DEFAULT_INTERVAL_SECONDS:
        unit.interval_seconds = interval
    return before != (unit.name, unit.set_temperature, unit.size_value, unit.interval_seconds)


def _fill_in_facility(facility: Facility, described: UnitDescription) -> bool:
    before = (facility.name, facility.city, facility.country)
    facility.name = facility.name or (described.facility_name or "")
    facility.city = facility.city or (described.city or "")
    facility.country = facility.country or (described.country or "")
    return before != (facility.name, facility.city, facility.country)


_LINK = Prepared("""
INSERT INTO source_unit (source_id, storage_unit_id)
SELECT * FROM unnest(%(source_ids)s::bigint[], %(unit_ids)s::int[])
ON CONFLICT DO NOTHING
""")


def link_units(delivered: Collection[tuple[int, int]]) -> None:
    """Record that sources have delivered readings of units, given as ids of both. One query."""
    source_ids, unit_ids = map(list, zip(*sorted(delivered), strict=True))
    _LINK.execute({"source_ids": source_ids, "unit_ids": unit_ids})
