"""Which stored excursion is which of those that were found, when late readings have moved, split or joined them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

FOR_EVER = datetime.max.replace(tzinfo=UTC)


class Stretch(Protocol):
    """A stretch of time, `ended_at` None: it lasts."""

    @property
    def started_at(self) -> datetime: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def alarm_at(self) -> datetime | None: ...


def matched(found: Sequence[Stretch], stored: Sequence[tuple[Stretch, int]]) -> dict[int, int]:
    """The place in `stored` of each place in `found` that goes on with a stored excursion.

    `stored` has each with its weight: where several have become one, the heaviest goes on (one that people have
    acknowledged, then one that they were told of), of equals the earliest. Where one has become several, it goes on
    with the one that its alarm was about, or else the first. Both in the order of time.
    """
    taken: dict[int, int] = {}
    by_weight = sorted(range(len(stored)), key=lambda place: (-stored[place][1], place))
    for place in by_weight:
        old = stored[place][0]
        free = [number for number, new in enumerate(found) if number not in taken and _touch(new, old)]
        if free:
            taken[next((number for number in free if _holds(found[number], old.alarm_at)), free[0])] = place
    return taken


def _touch(one: Stretch, other: Stretch) -> bool:
    return one.started_at <= (other.ended_at or FOR_EVER) and other.started_at <= (one.ended_at or FOR_EVER)


def _holds(stretch: Stretch, instant: datetime | None) -> bool:
    return instant is not None and stretch.started_at <= instant <= (stretch.ended_at or FOR_EVER)
