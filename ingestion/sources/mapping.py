"""The field mapping of a source: the part of its configuration that parsing needs."""

from __future__ import annotations

import codecs
import dataclasses
import math
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingestion.sources import SettingError
from ingestion.sources.time_format import time_format_problem
from readings.units.scales import Scale, parse_scale

# With this constant as time field, readings are measured when the response is received.
TIME_OF_RESPONSE = "=received"
# What several temperature columns are, if not sensors of one unit.
AS_UNITS = "units"
# Python codecs that are not encodings of files.
_NOT_TEXT = frozenset({"idna", "punycode", "raw-unicode-escape", "raw_unicode_escape", "unicode-escape", "undefined"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping:
    """How to interpret a source's data; the defaults support the common layouts.

    A ``*_field`` names a field (JSON; dots lead into objects) or a column (CSV; not case-sensitive). "=text" is a
    constant, "" means that the default names are tried in order. ``time_field`` may be "=received": the time of the
    response. Raise SettingError, which names the setting, for an invalid value.
    """

    readings_path: str = ""  # JSON: dotted path of the list; "" = default names, a bare list or a single object
    delimiter: str = ""  # CSV; "" = detected
    decimal_mark: str = ""  # "." or ","; "" = a point, or also a comma if the delimiter is ";"
    encoding: str = ""  # "" = UTF-8, else cp1252
    skip_until_header: bool = False  # CSV: skip the lines before the header
    facility_field: str = ""
    unit_field: str = ""
    unit_name_field: str = ""
    sensor_field: str = ""
    time_field: str = ""
    temperature_field: str = ""
    scale_field: str = ""
    quality_field: str = ""
    status_field: str = ""
    set_temperature_field: str = ""
    date_field: str = ""  # if the time's field holds only the time of day
    several_temperatures: str = ""  # several temperature columns: "" = sensors of one unit, "units" = units
    row_filter: str = ""  # "name = value, value": only these rows are read
    time_format: str = ""  # strptime or "excel"; "" = ISO 8601, epoch numbers and common data logger formats
    time_zone: str = "UTC"  # IANA name, for times without an offset
    scale: str = ""  # "C", "F", "K" for rows without a scale; "" = that of the column's title, else "C"
    factor: float = 1.0  # the temperature is the sent number times this ...
    offset: float = 0.0  # ... plus this, on the scale that was sent
    null_values: tuple[str, ...] = ()  # texts that mean "nothing was measured", besides "" and JSON null
    error_values: tuple[str, ...] = ()  # numbers by which a sensor reports a fault: their rows are rejected
    skips_without_temperature: bool = False  # leave out rows with an empty temperature, such as events
    accepts_old_readings: bool = False  # store rows that are years older than now and all others of their unit

    def __post_init__(self) -> None:
        self._check_types()
        self._check_format()
        self._check_fields()
        self._check_time()
        self._check_rows()
        if self.scale and self.scale not in list(Scale):
            raise SettingError("scale", f'scale must be "C", "F" or "K", not "{self.scale}".')

    @property
    def filter_field(self) -> str:
        """The name of the field that `row_filter` tests, "" for no filter."""
        return self.row_filter.partition("=")[0].strip()

    @property
    def filter_values(self) -> frozenset[str]:
        """The values of that field, in lower case, of the rows that are read."""
        return frozenset(value.strip().casefold() for value in self.row_filter.partition("=")[2].split(","))

    @property
    def is_default(self) -> bool:
        """Whether all settings have their defaults."""
        return self == _DEFAULT

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of times without an offset."""
        return ZoneInfo(self.time_zone)

    def _check_types(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, tuple):
                if not isinstance(value, tuple) or not all(isinstance(text, str) for text in value):
                    raise SettingError(field.name, f"{field.name} must be a list of strings.")
            elif isinstance(field.default, float):
                if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                    raise SettingError(field.name, f"{field.name} must be a finite number.")
            elif not isinstance(value, type(field.default)):
                kind = "true or false" if isinstance(field.default, bool) else "a string"
                raise SettingError(field.name, f"{field.name} must be {kind}.")

    def _check_format(self) -> None:
        if len(self.delimiter) > 1 or self.delimiter in ('"', "\n", "\r") or not self.delimiter.isascii():
            raise SettingError("delimiter", "delimiter must be one ASCII character other than a quote or a line break.")
        if self.decimal_mark not in ("", ".", ","):
            raise SettingError("decimal_mark", 'decimal_mark must be "." or ",".')
        if self.decimal_mark and self.decimal_mark == self.delimiter:
            raise SettingError("decimal_mark", "decimal_mark and delimiter cannot be the same character.")
        if self.encoding and not _is_text_encoding(self.encoding):
            raise SettingError("encoding", f'encoding "{self.encoding}" is unknown. Try "utf-8" or "cp1252".')

    def _check_fields(self) -> None:
        if self.temperature_field.startswith("="):
            raise SettingError(
                "temperature_field", "temperature_field must name a field: a temperature cannot be constant."
            )
        if self.time_field.startswith("=") and self.time_field != TIME_OF_RESPONSE:
            raise SettingError("time_field", f'time_field must name a field or be "{TIME_OF_RESPONSE}".')
        if self.scale_field.startswith("=") and parse_scale(self.scale_field[1:]) is None:
            raise SettingError(
                "scale_field", f'scale_field "{self.scale_field}" is not a scale. Use "=C", "=F" or "=K".'
            )

    def _check_rows(self) -> None:
        if self.factor == 0:
            raise SettingError("factor", "factor must not be 0: every temperature would be the same.")
        if self.several_temperatures not in ("", AS_UNITS):
            raise SettingError("several_temperatures", f'several_temperatures must be "{AS_UNITS}" or empty.')
        if self.row_filter and not (self.filter_field and all(self.filter_values)):
            raise SettingError("row_filter", 'row_filter must be like "_field = temperature, temp": a name and values.')
        for text in self.error_values:
            try:
                float(text.replace(",", "."))
            except ValueError as error:
                raise SettingError("error_values", f'error_values must be numbers, not "{text}".') from error

    def _check_time(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise SettingError(
                "time_zone", f'time_zone "{self.time_zone}" is unknown. Use an IANA name such as "Europe/London".'
            ) from error
        if self.time_format and (why := time_format_problem(self.time_format)):
            raise SettingError("time_format", why)


_DEFAULT = FieldMapping()


def _is_text_encoding(name: str) -> bool:
    try:
        info = codecs.lookup(name)
        return info.name not in _NOT_TEXT and info.decode(b"")[0] == ""
    except (LookupError, ValueError, TypeError, UnicodeError):
        return False
