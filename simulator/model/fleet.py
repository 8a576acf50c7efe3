"""A fleet: the simulated customers, their facilities and storage units, and how their systems behave."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulator.model.transport import TransportSettings

SQUARE_METRES_PER_SQUARE_FOOT = 0.09290304


@dataclass(frozen=True)
class Unit:
    """A storage unit: a room or a freezer with one sensor. `set_temperature` is in `temperature_unit` (C or F)."""

    code: str
    name: str | None
    set_temperature: float
    temperature_unit: str
    size_value: float
    size_unit: str
    reading_every_seconds: int

    @property
    def set_temperature_c(self) -> float:
        """The set temperature in °C."""
        if self.temperature_unit == "F":
            return (self.set_temperature - 32.0) / 1.8
        return self.set_temperature

    @property
    def size_square_metres(self) -> float:
        """The size in m²."""
        if self.size_unit == "sqft":
            return self.size_value * SQUARE_METRES_PER_SQUARE_FOOT
        return self.size_value


@dataclass(frozen=True)
class Facility:
    """A building with storage units. `time_zone` (IANA) is what its data loggers' clocks show."""

    code: str
    name: str | None
    city: str | None
    country: str
    units: tuple[Unit, ...]
    time_zone: str = "Europe/London"


@dataclass(frozen=True)
class DataQuality:
    """Probabilities per reading, 0 to 1, of a missing measurement, name or city; jitter of the sampling clock."""

    null_reading: float = 0.0
    null_name: float = 0.0
    null_city: float = 0.0
    clock_jitter_seconds: float = 0.0


@dataclass(frozen=True)
class CsvDialect:
    """The dialect of a customer's CSV downloads. `trailer` is "", "blank" or "summary"."""

    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    line_end: str = "\n"
    gzip: bool = False
    trailer: str = ""


@dataclass(frozen=True)
class ScriptedFault:
    """An equipment fault defined in a fleet file: at `start`, or `after_minutes` from the simulator's start."""

    unit: str
    kind: str
    duration_minutes: float
    start: datetime | None = None
    after_minutes: float = 0.0
    offset_seconds: float = 0.0

    def starts_at(self, began: datetime) -> datetime:
        """Return the start for a simulation that began at `began`."""
        return self.start or began + timedelta(minutes=self.after_minutes)


@dataclass(frozen=True)
class Customer:
    """A simulated customer.

    data_sharing_method is "api" (shape 1) or "csv" (shape 2): the shape it prefers; all shapes are served.
    envelope names the list in shape 1: readings, data, items, results, or bare for a list without an envelope.
    page_rows: shape 1 comes in pages of this many rows, with the URL of the next one; 0 for all rows at once.
    csv_form is "common" or "older". timestamps is "iso" (microseconds) or "space" (a blank, whole seconds).
    whole_degrees: its readings are whole degrees wherever they are sent.
    """

    code: str
    name: str
    template: str | None
    data_sharing_method: str
    poll_seconds: int
    facilities: tuple[Facility, ...]
    data_quality: DataQuality = DataQuality()
    envelope: str = "readings"
    page_rows: int = 0
    csv_form: str = "common"
    csv_dialect: CsvDialect = CsvDialect()
    timestamps: str = "iso"
    whole_degrees: bool = False
    sends_equipment_status: bool = False
    transport: TransportSettings = field(default_factory=TransportSettings)
    faults: tuple[ScriptedFault, ...] = ()

    def located_units(self) -> Iterator[tuple[Facility, Unit]]:
        """Yield each unit with its facility."""
        for facility in self.facilities:
            for unit in facility.units:
                yield facility, unit

    @property
    def unit_count(self) -> int:
        """The number of units in all facilities."""
        return sum(len(facility.units) for facility in self.facilities)


@dataclass(frozen=True)
class Fleet:
    """The customers in order; each one's position determines its port."""

    customers: tuple[Customer, ...] = field(default_factory=tuple)

    def only(self, codes: Iterable[str]) -> "Fleet":
        """Return the customers with these codes in the fleet's order. Raise ValueError for an unknown code."""
        wanted = set(codes)
        unknown = sorted(wanted - {customer.code for customer in self.customers})
        if unknown:
            raise ValueError(f"no customer {', '.join(unknown)} in the fleet")
        return Fleet(tuple(customer for customer in self.customers if customer.code in wanted))

    @property
    def facility_count(self) -> int:
        """The number of facilities."""
        return sum(len(customer.facilities) for customer in self.customers)

    @property
    def unit_count(self) -> int:
        """The number of units."""
        return sum(customer.unit_count for customer in self.customers)
