"""What a preview shows: understood rows, outcomes with an example each, and the settings that fix problems."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ingestion.loading.understood_rows import UnderstoodRow
from ingestion.models.delivery import reason_label
from ingestion.parsing.head import BodyHead
from ingestion.parsing.rejection_reasons import printable
from ingestion.parsing.results import RejectedReading
from ingestion.sources.mapping import FieldMapping

# What would become of rows, in the order in which it is shown.
KINDS = ("stored", "duplicate", "conflicting", "rejected")
# Phrases of messages that mean a setting under another name than its own.
_ALIASES = {
    "register new": "registers_units",
    "default unit": "default_unit_code",
    "without a temperature": "skips_without_temperature",
    "accept old readings": "accepts_old_readings",
    "several temperature": "several_temperatures",
}
_NAMES = {each.name.replace("_", " "): each.name for each in dataclasses.fields(FieldMapping)} | _ALIASES
_SETTING = re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, _NAMES), key=len, reverse=True))})\b", re.IGNORECASE)


def settings_in(message: str) -> tuple[str, ...]:
    """Return the settings that a message names, in order: every message about data says what to change."""
    names = (_NAMES[match[0].lower()] for match in _SETTING.finditer(message))
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What would become of some rows, with one example: `kind` is one of KINDS."""

    kind: str
    label: str
    count: int
    row_number: int
    example: str
    message: str = ""
    reason: str = ""

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that would fix it."""
        return settings_in(self.message)


@dataclass(slots=True, kw_only=True)
class Preview:
    """How a body was understood. `is_partial`: only its first rows were counted. Nothing of it was stored."""

    head: BodyHead = field(default_factory=BodyHead)
    rows: list[UnderstoodRow] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unit_codes: list[str] = field(default_factory=list)
    new_unit_codes: list[str] = field(default_factory=list)
    newest_reading_at: datetime | None = None
    reading_count: int = 0
    rejected: list[RejectedReading] = field(default_factory=list)
    is_partial: bool = False
    error_reason: str = ""
    error_message: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether the body could be read at all."""
        return not self.error_reason

    @property
    def problem(self) -> str:
        """Why nothing of the body could be stored, "" if something could."""
        if not self.is_readable:
            return self.error_message
        if self.is_partial or self.stored or self.duplicates or self.conflicting:
            return ""
        if not self.outcomes:
            return "There is no reading in it."
        first = self.outcomes[0]
        return f"All its rows would be rejected, {first.count:,} of them as “{first.label}”: {first.message}"

    @property
    def error_label(self) -> str:
        """The label of `error_reason`."""
        return reason_label(self.error_reason) if self.error_reason else ""

    @property
    def error_settings(self) -> tuple[str, ...]:
        """The settings that would fix the error."""
        return settings_in(self.error_message)

    @property
    def ignored_columns(self) -> list[str]:
        """The columns that are not read."""
        return self.head.ignored

    def count(self, kind: str) -> int:
        """Return the number of rows of one kind of outcome."""
        return sum(outcome.count for outcome in self.outcomes if outcome.kind == kind)

    @property
    def stored(self) -> int:
        """The number of rows that would be stored."""
        return self.count("stored")

    @property
    def duplicates(self) -> int:
        """The number of rows that are stored already."""
        return self.count("duplicate")

    @property
    def conflicting(self) -> int:
        """The number of rows that contradict stored readings."""
        return self.count("conflicting")

    @property
    def rejected_count(self) -> int:
        """The number of rows that would be rejected."""
        return self.count("rejected")

    @property
    def summary(self) -> str:
        """The counts on one line."""
        if not self.is_readable:
            return f"Failure ({self.error_label}): {self.error_message}"
        counts = [f"{self.count(kind):,} {kind}" for kind in KINDS]
        first = "of the first rows, " if self.is_partial else ""
        return f"{first}{', '.join(counts)}, {len(self.notes)} {'note' if len(self.notes) == 1 else 'notes'}."

    def lines(self) -> Sequence[str]:
        """Return the preview as lines of text, for terminals."""
        lines = [self.summary]
        for row in self.rows:
            where = " / ".join(part for part in (row.facility_code, row.unit_code, row.sensor_code) if part)
            local = "" if row.time_zone == "UTC" else f" ({row.local_time:%Y-%m-%d %H:%M:%S} {row.time_zone})"
            lines.append(
                f"{row.position} row {row.row_number}: {where}, {row.recorded_at:%Y-%m-%d %H:%M:%S} UTC{local},"
                f" {row.sent_text}" + ("" if row.scale == "C" else f" = {row.celsius_text}")
            )
            lines.append(f"  scale: {row.scale_reason}")
        if self.ignored_columns:
            lines.append(f"columns not read: {', '.join(map(printable, self.ignored_columns))}")
        for outcome in self.outcomes:
            lines.append(f"{outcome.kind}: {outcome.count:,}{f' ({outcome.label})' if outcome.reason else ''}")
            lines.append(f"  row {outcome.row_number}: {printable(outcome.example)}")
            if outcome.message:
                lines.append(f"  {outcome.message}{_advice(outcome.settings)}")
        lines += [f"note: {printable(note)}{_advice(settings_in(note))}" for note in self.notes]
        if self.error_settings:
            lines.append(f"settings: {', '.join(self.error_settings)}")
        return lines


def _advice(settings: Sequence[str]) -> str:
    return f" [{', '.join(settings)}]" if settings else ""
