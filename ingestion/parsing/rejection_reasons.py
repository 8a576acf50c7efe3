"""Why a row or a whole body was not taken: the codes, and a sentence for each that says what, which and what to do."""

from __future__ import annotations

from enum import StrEnum

_SHOWN_LENGTH = 80


class Reason(StrEnum):
    """Codes are stored and filtered by: they never change their meaning."""

    # Of a row.
    NO_UNIT = "no_unit"
    UNKNOWN_UNIT = "unknown_unit"
    UNKNOWN_FACILITY = "unknown_facility"
    UNKNOWN_SENSOR = "unknown_sensor"
    NO_TIME = "no_time"
    UNREADABLE_TIME = "unreadable_time"
    FUTURE_TIME = "future_time"
    TOO_OLD = "too_old"
    SKIPPED_HOUR = "skipped_hour"
    AMBIGUOUS_HOUR = "ambiguous_hour"
    NO_TEMPERATURE = "no_temperature"
    NOT_A_NUMBER = "not_a_number"
    NOT_FINITE = "not_finite"
    BELOW_ABSOLUTE_ZERO = "below_absolute_zero"
    ABOVE_1000_C = "above_1000_c"
    UNKNOWN_SCALE = "unknown_scale"
    BAD_QUALITY = "bad_quality"
    STATUS_TOO_LONG = "status_too_long"
    TOO_MANY_STATUSES = "too_many_statuses"
    CODE_TOO_LONG = "code_too_long"
    NOT_TEXT = "not_text"
    WRONG_NUMBER_OF_COLUMNS = "wrong_number_of_columns"
    CUT_OFF = "cut_off"
    NOT_AN_OBJECT = "not_an_object"
    # Of a whole body.
    HTML_INSTEAD_OF_DATA = "html_instead_of_data"
    INVALID_JSON = "invalid_json"
    NO_READINGS_LIST = "no_readings_list"
    NO_HEADER = "no_header"
    UNDECODABLE = "undecodable"
    TOO_LARGE = "too_large"


SENTENCES: dict[Reason, str] = {
    Reason.NO_UNIT: "The row does not say which storage unit it is of; name the unit's field in the source's mapping.",
    Reason.UNKNOWN_UNIT: "Unit {value} is not registered; register it, or let the source register what it names.",
    Reason.UNKNOWN_FACILITY: "Facility {value} is not registered; add it, or let the source register what it names.",
    Reason.UNKNOWN_SENSOR: "Sensor {value} is not registered; register it, or let the source register what it names.",
    Reason.NO_TIME: "The row does not say when it was measured; name the time's field in the source's mapping.",
    Reason.UNREADABLE_TIME: "The time {value} cannot be read{why}; set the source's time format.",
    Reason.FUTURE_TIME: "The time {value} is over 24 hours ahead; check the logger's clock and the source's time zone.",
    Reason.TOO_OLD: "The time {value} is before the year 2000; check the logger's clock and the time format.",
    Reason.SKIPPED_HOUR: "The local time {value} never was: the clocks of {zone} skipped it; check the time zone.",
    Reason.AMBIGUOUS_HOUR: "The local time {value} was twice in {zone}, and the rows' order does not show "
    "which is meant; have times sent with an offset.",
    Reason.NO_TEMPERATURE: "The row has no temperature; name the temperature's field in the source's mapping.",
    Reason.NOT_A_NUMBER: "The temperature {value} is not a number; if it means that nothing was measured, "
    "add it to the source's null values.",
    Reason.NOT_FINITE: "The temperature {value} is not finite; have it left empty where nothing was measured.",
    Reason.BELOW_ABSOLUTE_ZERO: "The temperature {value} ({scale}) is below absolute zero; check the source's scale.",
    Reason.ABOVE_1000_C: "The temperature {value} ({scale}) is above 1,000 °C; check the source's scale.",
    Reason.UNKNOWN_SCALE: "The scale {value} is not Celsius, Fahrenheit or kelvin; set the source's scale.",
    Reason.BAD_QUALITY: "The quality {value} is not a number from 0 to 1; check its field in the mapping.",
    Reason.STATUS_TOO_LONG: "The status {value} is longer than {limit} characters; check its field in the mapping.",
    Reason.TOO_MANY_STATUSES: "The status {value} is new, and there are too many already; "
    "check its field in the mapping.",
    Reason.CODE_TOO_LONG: "The {what} {value} is longer than {limit} characters; check its field in the mapping.",
    Reason.NOT_TEXT: "The {what} {value} holds characters that are not text; check the source's encoding.",
    Reason.WRONG_NUMBER_OF_COLUMNS: "The line has {count} columns, the header {expected}; check delimiters and quotes.",
    Reason.CUT_OFF: "The body ends in the middle of this row; the next delivery should bring it whole.",
    Reason.NOT_AN_OBJECT: "The list holds {value} where a reading is expected; check the source's readings path.",
    Reason.HTML_INSTEAD_OF_DATA: "The answer is a web page, not data; check the source's address and credentials.",
    Reason.INVALID_JSON: "The body is not valid JSON: {why}; have the sender look at what it sends.",
    Reason.NO_READINGS_LIST: "The JSON holds no list of readings{why}; set the source's readings path.",
    Reason.NO_HEADER: "No header line was found: {why}; set the column names in the source's mapping.",
    Reason.UNDECODABLE: "The body cannot be decoded: {why}; set the source's encoding.",
    Reason.TOO_LARGE: "The body is too large: {why}; ask the source for a shorter span.",
}


def sentence(reason: Reason, **attributes: object) -> str:
    """The sentence of `reason`; `attributes` fill its places, a text named `value` is quoted and shortened."""
    value = attributes.get("value")
    return SENTENCES[reason].format(**{**attributes, "value": quoted(value)} if "value" in attributes else attributes)


def quoted(value: object) -> str:
    """A value as a sentence shows it: in quotes, on one line, no longer than needed to recognise it."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(char if char.isprintable() else "�" for char in text[: _SHOWN_LENGTH + 1])
    return f'"{text[:_SHOWN_LENGTH]}…"' if len(text) > _SHOWN_LENGTH else f'"{text}"'
