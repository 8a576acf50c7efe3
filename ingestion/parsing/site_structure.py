"""Parse a site structure: a customer's facilities and their units, before the first reading."""

from __future__ import annotations

from typing import IO

from ingestion.parsing.body.decoded import DecodedBody
from ingestion.parsing.json.walker import InvalidJson, JsonWalker
from ingestion.parsing.limits import FACILITY_LIMITS, MAX_STRUCTURE_UNITS, exceeded
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnitDescription, UnreadableBody
from ingestion.parsing.unit_descriptions import clean_text, finite_number
from ingestion.parsing.values.row import read_code
from ingestion.parsing.values.rules import RowRejected, RowRules
from readings.units.scales import parse_scale

DEFAULT_MAX_BYTES = 64 << 20
_SNIFFED_BYTES = 4096
_FACILITY_LISTS = ("facilities",)
_RULES = RowRules()
_MAX_INTERVAL_SECONDS = 7 * 86_400


def parse_site_structure(
    body: IO[bytes], *, max_bytes: int = DEFAULT_MAX_BYTES, is_cut_off: bool = False
) -> list[UnitDescription]:
    """Return the units of a structure response, ``{"facilities": [{"id", "name", ..., "units": [{"id", ...}]}]}``.

    Units and facilities without a valid code are skipped, as nothing could refer to them. Raise UnreadableBody, also
    for a body that is cut off: it would look like a smaller structure.
    """
    decoded = DecodedBody(body, encoding="", max_bytes=max_bytes, is_cut_off=is_cut_off)
    stream = decoded.open()
    if stream.peek(_SNIFFED_BYTES).lstrip().startswith(b"<"):
        raise UnreadableBody(Reason.HTML_INSTEAD_OF_DATA)
    walker: JsonWalker[object] = JsonWalker(
        stream, path="", list_names=_FACILITY_LISTS, is_row=lambda _: False, row_limits=FACILITY_LIMITS
    )
    units: list[UnitDescription] = []
    try:
        for count, facility in enumerate(walker.items(), 1):
            units += _units(facility.value)
            if max(count, len(units)) > MAX_STRUCTURE_UNITS:
                raise exceeded(f"it has more than {MAX_STRUCTURE_UNITS:,} facilities or units")
    except InvalidJson as error:
        raise _invalid(str(error)) from error
    if decoded.is_cut_off or walker.ends_within_character:
        raise _invalid("it is cut off")
    return units


def _invalid(why: str) -> UnreadableBody:
    return UnreadableBody(Reason.INVALID_JSON, why=why)


def _units(facility: object) -> list[UnitDescription]:
    if not isinstance(facility, dict) or not isinstance(units := facility.get("units"), list):
        return []
    if not (facility_code := _code(facility)):
        return []
    return [_unit(unit, facility_code, facility) for unit in units if isinstance(unit, dict) and _code(unit)]


def _unit(unit: dict[str, object], facility_code: str, facility: dict[str, object]) -> UnitDescription:
    scale = unit.get("temperature_unit")
    interval = _number(unit.get("data_frequency"))
    is_interval = interval is not None and 1 <= interval <= _MAX_INTERVAL_SECONDS
    return UnitDescription(
        facility_code=facility_code,
        unit_code=_code(unit),
        unit_name=_text(unit.get("name")),
        facility_name=_text(facility.get("name")),
        city=_text(facility.get("city")),
        country=_text(facility.get("country")),
        set_temperature=_number(unit.get("set_temperature")),
        temperature_unit=parse_scale(scale) if isinstance(scale, str) else None,
        size_value=_number(unit.get("size")),
        size_unit=_text(unit.get("size_unit")),
        interval_seconds=int(interval) if is_interval and interval is not None else None,
    )


def _code(entity: dict[str, object]) -> str:
    try:
        return read_code(entity.get("id"), "code")
    except RowRejected:
        return ""


def _text(value: object) -> str | None:
    return clean_text(value) if isinstance(value, str) else None


def _number(value: object) -> float | None:
    return finite_number(value, _RULES)
