"""Notice decimal commas in a file that is separated by commas, where "4,5" became a 4 and a 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import polars as pl

from ingestion.parsing.csv.header import CsvHeader
from ingestion.parsing.fields.titles import Quantity, meaning_of
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnreadableBody

_WHOLE = r"^\s*[+-]?[0-9]+\s*$"
_DIGITS = r"^[0-9]{1,3}$"


@dataclass(frozen=True, slots=True)
class DecimalCommaCheck:
    """Checks blocks of cells: whole numbers as temperatures, and digits where no number is expected.

    `temperature` is a column, `following` the ones behind it in which the decimals and what they pushed aside would be.
    """

    temperature: str
    following: tuple[str, ...]

    @classmethod
    def of(cls, header: CsvHeader) -> Self | None:
        """Return the check for a header, None if commas could not be mistaken."""
        if header.delimiter != "," or not header.layout.temperatures:
            return None
        position = header.layout.temperatures[0].position
        behind = range(position + 1, header.width)
        if not behind or not _may_hold_anything(header, position + 1, with_measured=True):
            return None
        unexpected = [str(each) for each in behind if _may_hold_anything(header, each, with_measured=False)]
        return cls(str(position), tuple(unexpected)) if unexpected else None

    def check(self, cells: pl.DataFrame) -> None:
        """Raise UnreadableBody (decimal_comma) if the temperatures of a block were split at their decimal commas."""
        filled = cells.filter(pl.col(self.temperature) != "")
        if filled.is_empty() or not filled[self.temperature].str.contains(_WHOLE).all():
            return
        for name in self.following:
            values = filled[name].filter(filled[name] != "")
            # A whole number has no decimals behind it.
            if 2 * len(values) > len(filled) and values.str.contains(_DIGITS).all():
                example = f"{filled[self.temperature][0]},{filled[str(int(self.temperature) + 1)][0]}"
                raise UnreadableBody(Reason.DECIMAL_COMMA, value=example)


def _may_hold_anything(header: CsvHeader, position: int, *, with_measured: bool) -> bool:
    """Return whether nothing is known of a column, or only that it is measured if `with_measured`."""
    title = header.titles[position]
    if title.strip() and title not in header.layout.unread:
        return False
    quantity = meaning_of(title).quantity
    return quantity is Quantity.UNKNOWN or with_measured
