"""Reading fleets from JSON files, with clear errors, and writing them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulator.base.instants import LARGEST_NUMBER, parse_moment
from simulator.model.faults import FAULT_KINDS, FaultError, make_fault
from simulator.model.fleet import CsvDialect, Customer, DataQuality, Facility, Fleet, ScriptedFault, Unit
from simulator.model.templates import TEMPLATES
from simulator.model.transport import TransportSettings

_SHIPPED = Path(__file__).parent / "fleets"

# For validating a fault whose start depends on when the simulator starts.
_ANY_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)

_CHOICES: dict[str, tuple[Any, ...]] = {
    "data_sharing_method": ("api", "csv"),
    "envelope": ("readings", "data", "items", "results", "bare"),
    "csv_form": ("common", "older"),
    "timestamps": ("iso", "space"),
    "temperature_unit": ("C", "F"),
    "size_unit": ("sqm", "sqft"),
    "trailer": ("", "blank", "summary"),
    "kind": FAULT_KINDS,
    "template": (None, *TEMPLATES),
}

_Built = TypeVar("_Built")


class FleetError(ValueError):
    """A fleet file that cannot be used; the message says where and why."""


def shipped_fleets() -> list[str]:
    """Return the names that `load_fleet` accepts without a file."""
    return sorted(path.stem for path in _SHIPPED.glob("*.json"))


def load_fleet(name_or_path: str | Path) -> Fleet:
    """Return a shipped fleet by name (`default`, `assignment`) or one from a file. Raise FleetError."""
    shipped = _SHIPPED / f"{name_or_path}.json"
    path = shipped if str(name_or_path) in shipped_fleets() else Path(name_or_path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FleetError(
            f"{name_or_path}: {error.strerror}; shipped fleets are {', '.join(shipped_fleets())}"
        ) from error
    except ValueError as error:
        raise FleetError(f"{path} is not JSON: {error}") from error
    return fleet_from(document)


def save_fleet(fleet: Fleet, path: Path) -> None:
    """Write a fleet so that `load_fleet` returns it again; values equal to their default are left out."""
    lines = [json.dumps(_without_defaults(customer), ensure_ascii=False) for customer in fleet.customers]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def fleet_from(document: object) -> Fleet:
    """Return a fleet from a parsed file: a list of customers. Raise FleetError."""
    if not isinstance(document, list):
        raise FleetError("a fleet file must contain a list of customers")
    fleet = Fleet(tuple(_customer(entry) for entry in document))
    _refuse_twice((customer.code for customer in fleet.customers), "customer")
    return fleet


def _customer(entry: object) -> Customer:
    values = _object(entry, "a customer")
    where = f"customer {values.get('code')!r}"
    template = TEMPLATES.get(str(values.get("template")))
    quality = template.data_quality if template else DataQuality()
    built = {
        **values,
        "facilities": tuple(_facility(each, where) for each in _list(values, "facilities", where)),
        "data_quality": _quality({**asdict(quality), **_object(values.get("data_quality", {}), "data_quality")}, where),
        "csv_dialect": _built(CsvDialect, _object(values.get("csv_dialect", {}), "csv_dialect"), where),
        "transport": _transport(values.get("transport", {}), where),
        "faults": tuple(_scripted(each, where) for each in values.get("faults", [])),
    }
    customer = _built(Customer, built, where)
    _refuse_other_than_numbers(customer, ("poll_seconds",), where)
    if isinstance(customer.page_rows, bool) or not isinstance(customer.page_rows, int) or customer.page_rows < 0:
        raise FleetError(f"{where}: page_rows must be a whole number, 0 or more")
    _refuse_twice((unit.code for _, unit in customer.located_units()), f"unit of {where}")
    _refuse_unknown_units(customer)
    return customer


def _facility(entry: object, where: str) -> Facility:
    values = _object(entry, f"{where}: a facility")
    here = f"{where}, facility {values.get('code')!r}"
    units = tuple(_unit(each, here) for each in _list(values, "units", here))
    facility = _built(Facility, {**values, "units": units}, here)
    try:
        ZoneInfo(facility.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise FleetError(f"{here}: no such time zone: {facility.time_zone!r}") from error
    return facility


def _unit(entry: object, where: str) -> Unit:
    unit = _built(Unit, _object(entry, f"{where}: a unit"), where)
    here = f"{where}, unit {unit.code!r}"
    _refuse_other_than_numbers(unit, ("set_temperature", "size_value", "reading_every_seconds"), here)
    if not isinstance(unit.reading_every_seconds, int) or unit.reading_every_seconds < 1:
        raise FleetError(f"{here}: reading_every_seconds must be a whole number of seconds, 1 or more")
    if unit.size_value <= 0:
        raise FleetError(f"{here}: size_value must be above 0")
    return unit


def _scripted(entry: object, where: str) -> ScriptedFault:
    values = _object(entry, f"{where}: a fault")
    if "start" in values:
        try:
            values = {**values, "start": parse_moment(str(values["start"]))}
        except ValueError as error:
            raise FleetError(f"{where}: a fault's start is not an instant: {values['start']!r}") from error
    fault: ScriptedFault = _built(ScriptedFault, values, f"{where}, a fault")
    _refuse_other_than_numbers(fault, ("after_minutes",), f"{where}, a fault")
    try:
        make_fault(fault.unit, fault.kind, fault.starts_at(_ANY_MOMENT), fault.duration_minutes, fault.offset_seconds)
    except FaultError as error:
        raise FleetError(f"{where}: {error}") from error
    return fault


def _quality(values: Mapping[str, Any], where: str) -> DataQuality:
    quality: DataQuality = _built(DataQuality, values, where)
    _refuse_other_than_numbers(quality, asdict(quality), where)
    if min(asdict(quality).values()) < 0 or max(quality.null_reading, quality.null_name, quality.null_city) > 1:
        raise FleetError(f"{where}: data_quality must have chances from 0 to 1 and seconds of 0 or more")
    return quality


def _transport(entry: object, where: str) -> TransportSettings:
    try:
        return TransportSettings.from_mapping(_object(entry, f"{where}: transport"))
    except ValueError as error:
        raise FleetError(f"{where}: {error}") from error


def _built(kind: Callable[..., _Built], values: Mapping[str, Any], where: str) -> _Built:
    """Build a dataclass from a mapping, refusing unknown names and values outside the known choices."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]  # every kind is a dataclass
    unknown = sorted(set(values) - known)
    if unknown:
        raise FleetError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    for name, value in values.items():
        if name in _CHOICES and value not in _CHOICES[name]:
            raise FleetError(f"{where}: {name} must be one of {', '.join(map(str, _CHOICES[name]))}, not {value!r}")
    try:
        return kind(**values)
    except TypeError as error:
        raise FleetError(f"{where}: {error}") from error


def _object(entry: object, what: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise FleetError(f"{what} must be an object")
    return entry


def _list(values: Mapping[str, object], name: str, where: str) -> list[object]:
    entries = values.get(name)
    if not isinstance(entries, list) or not entries:
        raise FleetError(f"{where}: {name} must be a list with at least one entry")
    return entries


def _refuse_twice(codes: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            raise FleetError(f"{what} {code!r} occurs twice")
        seen.add(code)


def _refuse_unknown_units(customer: Customer) -> None:
    codes = {unit.code for _, unit in customer.located_units()}
    for fault in customer.faults:
        if fault.unit not in codes:
            raise FleetError(f"customer {customer.code!r}: a fault names the unknown unit {fault.unit!r}")


def _refuse_other_than_numbers(built: object, names: Iterable[str], where: str) -> None:
    for name in names:
        value = getattr(built, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_NUMBER:
            raise FleetError(f"{where}: {name} must be a number of at most {LARGEST_NUMBER:,.0f}, not {value!r}")


def _without_defaults(customer: Customer) -> dict[str, object]:
    plain = Customer("", "", None, "api", 0, ())
    values = asdict(customer)
    optional = ("envelope", "page_rows", "csv_form", "timestamps", "whole_degrees", "sends_equipment_status")
    for name in optional:
        if values[name] == getattr(plain, name):
            del values[name]
    values["transport"] = customer.transport.in_force()
    values["csv_dialect"] = _differences(asdict(customer.csv_dialect), asdict(CsvDialect()))
    values["faults"] = [_fault_document(fault) for fault in customer.faults]
    template = TEMPLATES.get(str(customer.template))
    quality = template.data_quality if template else DataQuality()
    values["data_quality"] = _differences(asdict(customer.data_quality), asdict(quality))
    for name in ("transport", "csv_dialect", "faults", "data_quality"):
        if not values[name]:
            del values[name]
    return values


def _differences(values: dict[str, object], defaults: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value != defaults[name]}


def _fault_document(fault: ScriptedFault) -> dict[str, object]:
    values = _differences(asdict(fault), asdict(ScriptedFault("", "", 0.0)))
    if fault.start is not None:
        values["start"] = fault.start.isoformat()
    return values
