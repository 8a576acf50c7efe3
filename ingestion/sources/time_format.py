"""Check a source's time format when it is saved, so that no format can give wrong times."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# With this as time format, times are days since 1900 with a fraction, as spreadsheets count them.
EXCEL_SERIAL = "excel"
_EXAMPLE = datetime(2026, 11, 23, 14, 5, 9, tzinfo=UTC)
_DIRECTIVE = re.compile(r"%(.)")
_KNOWN = frozenset("aAbBcdHIjmMpSuwWUVGyYzZfxXT%")
_WHOLE_DATES = frozenset("cx")
_SUGGESTION = "Use a strptime format with date and time, such as %d/%m/%Y %H:%M"


def time_format_problem(time_format: str) -> str:
    """Return why a format would give wrong times or none, with an example; "" if it is a good one.

    A good format determines the date with its year, the hour, and with a 12-hour clock whether it is AM or PM.
    """
    if time_format == EXCEL_SERIAL:
        return ""
    if "%" not in time_format or "\0" in time_format:
        return f'time_format must be "{EXCEL_SERIAL}" or a strptime format such as "%d/%m/%Y %H:%M".'
    directives = set(_DIRECTIVE.findall(time_format))
    if unknown := sorted(directives - _KNOWN):
        return f"time_format has the unknown directive %{unknown[0]}. {_SUGGESTION}."
    for is_missing, what in _missing_parts(directives):
        if is_missing:
            return f"time_format {what}: 2026-11-23 14:05:09 would be written “{_example(time_format)}”. {_SUGGESTION}."
    return ""


def _missing_parts(directives: set[str]) -> list[tuple[bool, str]]:
    has_day = bool(directives & {"d", "j"} or directives & _WHOLE_DATES or {"G", "V"} <= directives)
    has_month = bool(directives & {"m", "b", "B", "j"} or directives & _WHOLE_DATES or {"G", "V"} <= directives)
    has_hour = bool(directives & {"H", "I", "c", "X", "T"})
    return [
        (not (has_day and has_month), "has no date (day and month)"),
        (not directives & {"y", "Y", "G", "c", "x"}, "has no year (%Y)"),
        (not has_hour, "has no time of day; if the time is in another column, set the date field as well. It"),
        ("I" in directives and "p" not in directives, "has a 12-hour clock (%I) without AM or PM (%p)"),
        ("p" in directives and "H" in directives, "has AM or PM (%p), which is ignored with %H; use %I"),
        ("M" not in directives and bool(directives & {"S", "f"}), "has seconds but no minutes (%M)"),
    ]


def _example(time_format: str) -> str:
    try:
        return _EXAMPLE.strftime(time_format)
    except ValueError:
        return time_format
