"""Reasons for rejecting a row or a whole body: codes, labels and messages."""

from __future__ import annotations

from django.db.models import TextChoices

_MAX_QUOTED_LENGTH = 80


class Reason(TextChoices):
    """Codes are stored and filtered by: their meaning never changes."""

    # Of a row.
    OTHER_CUSTOMER = "other_customer", "Another customer's row"
    NO_UNIT = "no_unit", "No unit"
    UNKNOWN_UNIT = "unknown_unit", "Unknown unit"
    UNKNOWN_FACILITY = "unknown_facility", "Unknown facility"
    UNKNOWN_SENSOR = "unknown_sensor", "Unknown sensor"
    RETIRED_SENSOR = "retired_sensor", "Retired sensor"
    NO_TIME = "no_time", "No time"
    UNREADABLE_TIME = "unreadable_time", "Unreadable time"
    FUTURE_TIME = "future_time", "Time in the future"
    TOO_OLD = "too_old", "Too old"
    CLOCK_RESET = "clock_reset", "Clock was reset"
    SKIPPED_HOUR = "skipped_hour", "Time skipped by the clock change"
    AMBIGUOUS_HOUR = "ambiguous_hour", "Time repeated by the clock change"
    NO_TEMPERATURE = "no_temperature", "No temperature"
    NOT_A_NUMBER = "not_a_number", "Not a number"
    NOT_FINITE = "not_finite", "Not a finite number"
    BELOW_ABSOLUTE_ZERO = "below_absolute_zero", "Below absolute zero"
    ABOVE_1000_C = "above_1000_c", "Above 1,000 °C"
    SENSOR_ERROR = "sensor_error", "Sensor error"
    UNKNOWN_SCALE = "unknown_scale", "Unknown scale"
    CONTRADICTORY_SCALES = "contradictory_scales", "Contradictory scales"
    UNKNOWN_QUANTITY = "unknown_quantity", "Unknown quantity"
    BAD_QUALITY = "bad_quality", "Invalid quality"
    STATUS_TOO_LONG = "status_too_long", "Status too long"
    TOO_MANY_STATUSES = "too_many_statuses", "Too many different statuses"
    CODE_TOO_LONG = "code_too_long", "Code too long"
    NOT_TEXT = "not_text", "Invalid characters"
    WRONG_NUMBER_OF_COLUMNS = "wrong_number_of_columns", "Wrong number of columns"
    CUT_OFF = "cut_off", "Incomplete row"
    UNKNOWN_FIELD = "unknown_field", "Unknown field"
    NOT_AN_OBJECT = "not_an_object", "Not an object"
    # Of a whole body.
    HTML_INSTEAD_OF_DATA = "html_instead_of_data", "Web page instead of data"
    INVALID_JSON = "invalid_json", "Invalid JSON"
    NO_READINGS_LIST = "no_readings_list", "No list of readings"
    NO_HEADER = "no_header", "No header"
    DECIMAL_COMMA = "decimal_comma", "Decimal commas between commas"
    UNSUPPORTED_FILE = "unsupported_file", "Not a supported kind of file"
    ERROR_IN_RESPONSE = "error_in_response", "Error in the response"
    INCOMPLETE_PAGES = "incomplete_pages", "Pages missing"
    UNDECODABLE = "undecodable", "Decoding failed"
    TOO_LARGE = "too_large", "Too large"


MESSAGES: dict[Reason, str] = {
    Reason.OTHER_CUSTOMER: "The row names {value}, another customer of this system. Check the source's address, or the "
    "file; dismiss the row if it does not belong here.",
    Reason.NO_UNIT: "The row has no storage unit. Set the unit field.",
    Reason.UNKNOWN_UNIT: "Unit {value} is not registered. Register it, or let the source register new units.",
    Reason.UNKNOWN_FACILITY: "Facility {value} is not registered. Add it, or let the source register new facilities.",
    Reason.UNKNOWN_SENSOR: "Sensor {value} is not registered. Register it, or let the source register new sensors.",
    Reason.RETIRED_SENSOR: "Sensor {value} was retired before this reading. Stop sending its readings, or return the "
    "sensor to service and replay the row.",
    Reason.NO_TIME: "The row has no time. Set the time field.",
    Reason.UNREADABLE_TIME: "The time {value} cannot be read{why}. Set the time format{also}.",
    Reason.FUTURE_TIME: "The time {value} is more than 24 hours ahead. Check the device's clock and the time zone.",
    Reason.TOO_OLD: "The time {value} is before the year 2000. Check the device's clock and the time format.",
    Reason.CLOCK_RESET: "The time {value} is {why}: the device's clock was probably reset. If so, import the rows with "
    "correct times, or dismiss them. If not, have the mapping accept old readings.",
    Reason.SKIPPED_HOUR: "The local time {value} does not exist in {zone}: the clocks skipped it. Check the time zone.",
    Reason.AMBIGUOUS_HOUR: "The local time {value} occurs twice in {zone}, and the order of the rows does not show "
    "which one is meant. Send times with a UTC offset.",
    Reason.NO_TEMPERATURE: "The row has no temperature. Set the temperature field.",
    Reason.NOT_A_NUMBER: "The temperature {value} is not a number. If it means that nothing was measured, "
    "add it to the null values.",
    Reason.NOT_FINITE: "The temperature {value} is not finite. Send an empty value if nothing was measured.",
    Reason.BELOW_ABSOLUTE_ZERO: "The temperature {value} ({scale}) is below absolute zero. Check the scale.",
    Reason.ABOVE_1000_C: "The temperature {value} ({scale}) is above 1,000 °C. Check the scale.",
    Reason.UNKNOWN_SCALE: "The scale {value} is not Celsius, Fahrenheit or kelvin. Set the scale or the scale "
    "field, or the unit field if it is a storage unit.",
    Reason.SENSOR_ERROR: "The temperature {value} is one of the error values. Check the sensor, or take the "
    "value off the list.",
    Reason.CONTRADICTORY_SCALES: "The scale {value} behind the temperature contradicts {other} in the same row. Set "
    "the scale field or the scale.",
    Reason.UNKNOWN_QUANTITY: "What {value} measures is unknown. Set the row filter to the rows with "
    "temperatures, or the temperature field.",
    Reason.BAD_QUALITY: "The quality {value} is not a number from 0 to 1. Check the quality field in the mapping.",
    Reason.STATUS_TOO_LONG: "The status {value} is longer than {limit} characters. "
    "Check the status field in the mapping.",
    Reason.TOO_MANY_STATUSES: "The status {value} is new, and there are too many different statuses already. "
    "Check the status field in the mapping.",
    Reason.CODE_TOO_LONG: "The {what} {value} is longer than {limit} characters. Check its field in the mapping.",
    Reason.NOT_TEXT: "The {what} {value} contains invalid characters. Check the encoding.",
    Reason.WRONG_NUMBER_OF_COLUMNS: "The line has {count} columns, the header has {expected}. "
    "Check delimiters and quotes.",
    Reason.CUT_OFF: "The body ends within this row. The next delivery should contain the whole row.",
    Reason.UNKNOWN_FIELD: "The field {value} is unknown. Use only {known}.",
    Reason.NOT_AN_OBJECT: "The list contains {value} instead of a reading. Check the readings path.",
    Reason.HTML_INSTEAD_OF_DATA: "The response is a web page, not data. Check the source's address and credentials.",
    Reason.INVALID_JSON: "The body is not valid JSON: {why}. Check what the source sends.",
    Reason.NO_READINGS_LIST: "The JSON contains no list of readings{why}. Set the readings path.",
    Reason.NO_HEADER: "No header line was found: {why}. Set the time field and the temperature field.",
    Reason.DECIMAL_COMMA: "The temperatures seem to have decimal commas in a file that is separated by commas, such as "
    "{value}. Export it with another delimiter or with decimal points, or with quotes around the temperatures.",
    Reason.UNSUPPORTED_FILE: "The file is {what}, which cannot be read{why}. Export the readings as CSV, XLSX or JSON.",
    Reason.ERROR_IN_RESPONSE: "The response reports an error instead of readings: {value}. Check the source's address "
    "and credentials.",
    Reason.INCOMPLETE_PAGES: "The response continues on further pages, which could not be read: {why}. Request a "
    "shorter period from the source.",
    Reason.UNDECODABLE: "The body cannot be decoded: {why}. Set the encoding.",
    Reason.TOO_LARGE: "The body is too large: {why}. Request a shorter period from the source.",
}


# About a file that a person imports, where the message about what a source sends does not fit.
FILE_MESSAGES: dict[Reason, str] = {
    Reason.HTML_INSTEAD_OF_DATA: "The file is a web page, not data. Export the readings as CSV, XLSX or JSON.",
    Reason.INVALID_JSON: "The file is not valid JSON: {why}. Export it again.",
    Reason.NO_READINGS_LIST: "The JSON contains no list of readings{why}. Choose the columns of the time and the "
    "temperature, or set the readings path.",
    Reason.NO_HEADER: "No header line was found: {why}. Choose the columns of the time and the temperature.",
    Reason.ERROR_IN_RESPONSE: "The file reports an error instead of readings: {value}. Export it again.",
    Reason.UNDECODABLE: "The file cannot be decoded: {why}. Set the encoding.",
    Reason.TOO_LARGE: "The file is too large: {why}. Split it.",
}


def message_for(reason: Reason, **values: object) -> str:
    """Return the message of `reason`, filled in with `values`; `value` is quoted and shortened."""
    return _filled_in(MESSAGES[reason], values)


def unclear_facility(unit_code: str) -> str:
    """Return the message of UNKNOWN_FACILITY about a row that names no facility where several have its unit."""
    return (
        f"Unit {quoted(unit_code)} is registered in several facilities, and the row names none. Set the facility field"
        " or the source's default facility."
    )


def file_message_for(reason: Reason, **values: object) -> str:
    """Return the message of `reason` about a file that a person imports, filled in like that of `message_for`."""
    return _filled_in(FILE_MESSAGES.get(reason) or MESSAGES[reason], values)


def _filled_in(message: str, values: dict[str, object]) -> str:
    if "value" in values:
        values["value"] = quoted(values["value"])
    return message.format(**values)


def printable(text: str) -> str:
    """Replace all characters that a terminal or a log might interpret; tabs are kept."""
    return "".join(char if char.isprintable() or char == "\t" else "�" for char in text)


def quoted(value: object) -> str:
    """Quote a value for a message: on one line, shortened, without unprintable characters."""
    text = value if isinstance(value, str) else repr(value)
    text = printable(text[: _MAX_QUOTED_LENGTH + 1])
    return f'"{text[:_MAX_QUOTED_LENGTH]}…"' if len(text) > _MAX_QUOTED_LENGTH else f'"{text}"'
