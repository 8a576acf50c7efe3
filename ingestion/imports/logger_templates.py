"""Mappings of common data loggers' exports, recognised by what is in their first lines.

A template sets what the files do not say and what is the same in all of them. Whether a day or a month comes first
depends on the language of the software that exported a file, so no template decides it: the dates in the file do, or
the person who imports it. `docs/sources.md` lists the templates; each has a sample file that the tests read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LoggerTemplate:
    """The mapping of one maker's exports; all of `marks` occur in their first lines."""

    name: str
    marks: tuple[str, ...]
    mapping: Mapping[str, object] = field(default_factory=dict)

    def matches(self, start: str) -> bool:
        """Return whether a file that starts like this is such an export."""
        return all(re.search(mark, start, re.IGNORECASE | re.MULTILINE) for mark in self.marks)


# Lines before the header are expected, and events without a temperature are no readings.
_REPORT = {"skip_until_header": True, "skips_without_temperature": True}

TEMPLATES = (
    LoggerTemplate("Onset HOBO (HOBOware)", (r"^\W*Plot Title:|LGR S/N",), _REPORT),
    LoggerTemplate("Onset HOBO MX (HOBOconnect)", (r"^\W*#\W+Date-Time", r"Ch: ?\d+ - Temperature"), _REPORT),
    LoggerTemplate(
        "Lascar EasyLog EL-USB", (r"^\W*EasyLog", r"Celsius|Fahrenheit"), {"skips_without_temperature": True}
    ),
    LoggerTemplate("Testo Saveris, testo 174 and 184", (r"\btesto\b",), {**_REPORT, "null_values": ["-----", "---"]}),
    LoggerTemplate("LogTag Analyzer", (r"\bLogTag\b",), {**_REPORT, "null_values": ["---"]}),
    LoggerTemplate("Elitech LogElitech", (r"\bElitech\b|LogElitech",), _REPORT),
    LoggerTemplate("Sensitech TempTale", (r"TempTale|Sensitech",), _REPORT),
    LoggerTemplate("Dickson DicksonOne", (r"Dickson",), {**_REPORT, "null_values": ["No Data"]}),
    LoggerTemplate("MadgeTech", (r"MadgeTech",), _REPORT),
    LoggerTemplate("Rotronic HW4 and HygroLog", (r"Rotronic",), _REPORT),
    LoggerTemplate(
        "Efento Cloud",
        (r"Efento|^\W*Measurement time\W+Temperature",),
        {**_REPORT, "null_values": ["-", "sensor error"]},
    ),
    LoggerTemplate(
        "ebro Winlog", (r"\bebro\b|Winlog",), {**_REPORT, "decimal_mark": ",", "null_values": ["----", "OL", "UL"]}
    ),
    LoggerTemplate("Gemini Tinytag Explorer", (r"TGP-\d|Tinytag",), _REPORT),
    LoggerTemplate("Maxim iButton (OneWireViewer)", (r"1-Wire/iButton",), _REPORT),
)


def template_for(start: str) -> LoggerTemplate | None:
    """Return the first template that a file starting like this matches, None if there is none."""
    return next((template for template in TEMPLATES if template.matches(start)), None)
