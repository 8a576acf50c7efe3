"""Notes for people on how a body was understood: what was assumed, passed over or looks suspicious."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingestion.parsing.rejection_reasons import quoted

_MAX_NAMES = 20


@dataclass(slots=True)
class _Counted:
    """How often something occurred, with its first example."""

    count: int
    example: str


class Notes:
    """Collects the notes on one body. The same note is kept once; what recurs in rows is counted.

    `assumes_celsius`: no scale is given anywhere, so that °C is assumed for rows that give none.
    """

    def __init__(self) -> None:
        self.assumes_celsius = False
        self._told: dict[str, None] = {}
        self._counted: dict[tuple[str, str, str], _Counted] = {}

    def tell(self, sentence: str) -> None:
        """Add a sentence."""
        self._told[sentence] = None

    def count(self, singular: str, plural: str, example: object, advice: str = "", *, count: int = 1) -> None:
        """Count an occurrence: "3 lines that are no readings, for example …". `advice` says what to do."""
        key = (singular, plural, advice)
        if key in self._counted:
            self._counted[key].count += count
        elif count:
            self._counted[key] = _Counted(count, quoted(example))

    def sentences(self) -> list[str]:
        """Return all notes as sentences."""
        counted = [
            f"{each.count:,} {singular if each.count == 1 else plural}, for example {each.example}. {advice}".rstrip()
            for (singular, plural, advice), each in self._counted.items()
        ]
        return [*self._told, *counted]


def names_listed(names: Iterable[str]) -> str:
    """Return quoted names as one list, shortened if there are many."""
    listed = list(names)
    shown = ", ".join(quoted(name) for name in listed[:_MAX_NAMES])
    return f"{shown} and {len(listed) - _MAX_NAMES} more" if len(listed) > _MAX_NAMES else shown
