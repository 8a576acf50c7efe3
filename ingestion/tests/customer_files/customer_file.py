"""A file of a customer and what it must come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CustomerFile:
    """A file, the settings it is imported with, and the expected result.

    `says` are parts of the notes, messages and reasons. `reasons` are those of the rejected rows, by their number;
    `fails` is the reason for which the whole file is refused.
    """

    name: str
    readings: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    reasons: dict[int, str] = field(default_factory=dict)
    fails: str = ""
    mapping: dict[str, Any] = field(default_factory=dict)
    unit: str = ""


def file(
    name: str,
    *readings: str,
    says: tuple[str, ...] = (),
    reasons: dict[int, str] | None = None,
    fails: str = "",
    unit: str = "",
    **mapping: Any,
) -> CustomerFile:
    """Return the expectation for a file."""
    return CustomerFile(
        name=name, readings=readings, says=says, reasons=reasons or {}, fails=fails, unit=unit, mapping=mapping
    )
