"""The field mapping of a source: the part of its configuration that parsing needs."""

from __future__ import annotations

import codecs
import dataclasses
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from readings.units.scales import Scale, parse_scale

# With this constant as time field, readings are measured when the response is received.
TIME_OF_RESPONSE = "=received"
# Python codecs that are not encodings of files.
_NOT_TEXT = frozenset({"idna", "punycode", "raw-unicode-escape", "raw_unicode_escape", "unicode-escape", "undefined"})


class MappingError(ValueError):
    """A mapping is invalid: `field` names the setting, the message is for the person who set it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping:
    """How to interpret a source's data; the defaults support the common layouts.

    A ``*_field`` names a field (JSON; dots lead into objects) or a column (CSV; not case-sensitive). "=text" is a
    constant, "" means that the default names are tried in order. ``time_field`` may be "=received": the time of the
    response. Raise MappingError, which names the setting, for an invalid value.
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
    time_format: str = ""  # strptime; "" = ISO 8601, epoch numbers and common data logger formats
    time_zone: str = "UTC"  # IANA name, for times without an offset
    scale: str = ""  # "C", "F", "K" for rows without a scale; "" = that of the column's title, else "C"
    null_values: tuple[str, ...] = ()  # texts that mean "nothing was measured", besides "" and JSON null

    def __post_init__(self) -> None:
        self._check_types()
        self._check_format()
        self._check_fields()
        self._check_time()
        if self.scale and self.scale not in list(Scale):
            raise MappingError("scale", f'scale must be "C", "F" or "K", not "{self.scale}".')

    @property
    def is_default(self) -> bool:
        """Whether all settings have their defaults."""
        return self == FieldMapping()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of times without an offset."""
        return ZoneInfo(self.time_zone)

    def _check_types(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "null_values":
                if not isinstance(value, tuple) or not all(isinstance(text, str) for text in value):
                    raise MappingError("null_values", "null_values must be a list of strings.")
            elif not isinstance(value, type(field.default)):
                kind = "true or false" if isinstance(field.default, bool) else "a string"
                raise MappingError(field.name, f"{field.name} must be {kind}.")

    def _check_format(self) -> None:
        if len(self.delimiter) > 1 or self.delimiter in ('"', "\n", "\r") or not self.delimiter.isascii():
            raise MappingError("delimiter", "delimiter must be one ASCII character other than a quote or a line break.")
        if self.decimal_mark not in ("", ".", ","):
            raise MappingError("decimal_mark", 'decimal_mark must be "." or ",".')
        if self.decimal_mark and self.decimal_mark == self.delimiter:
            raise MappingError("decimal_mark", "decimal_mark and delimiter cannot be the same character.")
        if self.encoding and not _is_text_encoding(self.encoding):
            raise MappingError("encoding", f'encoding "{self.encoding}" is unknown. Try "utf-8" or "cp1252".')

    def _check_fields(self) -> None:
        if self.temperature_field.startswith("="):
            raise MappingError(
                "temperature_field", "temperature_field must name a field: a temperature cannot be constant."
            )
        if self.time_field.startswith("=") and self.time_field != TIME_OF_RESPONSE:
            raise MappingError("time_field", f'time_field must name a field or be "{TIME_OF_RESPONSE}".')
        if self.scale_field.startswith("=") and parse_scale(self.scale_field[1:]) is None:
            raise MappingError(
                "scale_field", f'scale_field "{self.scale_field}" is not a scale. Use "=C", "=F" or "=K".'
            )

    def _check_time(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise MappingError(
                "time_zone", f'time_zone "{self.time_zone}" is unknown. Use an IANA name such as "Europe/London".'
            ) from error
        if self.time_format and ("%" not in self.time_format or "\0" in self.time_format):
            raise MappingError("time_format", 'time_format must be a strptime format such as "%d/%m/%Y %H:%M".')


def _is_text_encoding(name: str) -> bool:
    try:
        info = codecs.lookup(name)
        return info.name not in _NOT_TEXT and info.decode(b"")[0] == ""
    except (LookupError, ValueError, TypeError, UnicodeError):
        return False
