"""From a clock's face to an instant: local times in an IANA zone, and the two hours a year in which that goes wrong."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ingestion.parsing.timestamps import DAY_US, EPOCH, HOUR_US, MICROSECOND


@dataclass(frozen=True, slots=True)
class Offsets:
    """For each wall, in microseconds: what to take away for UTC, in the first and in the second pass of the clock.

    Where the two differ the wall is `ambiguous` (it was twice) or `skipped` (it never was).
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @property
    def ambiguous(self) -> NDArray[np.bool_]:
        return self.first > self.second

    @property
    def skipped(self) -> NDArray[np.bool_]:
        return self.first < self.second


class LocalClock:
    """A zone's offsets for many walls at once: an hour without a change is looked up once, any other row by row."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._of_hour: dict[int, int | None] = {}

    def offsets(self, walls: NDArray[np.int64]) -> Offsets:
        """The offsets of local walls within the years 2 to 9998."""
        hours, position = np.unique(walls // HOUR_US, return_inverse=True)
        of_hour = [self._offset_of_hour(int(hour)) for hour in hours]
        first = np.array([offset or 0 for offset in of_hour], np.int64)[position]
        second = first.copy()
        changing = np.array([offset is None for offset in of_hour], np.bool_)[position]
        for row in np.flatnonzero(changing):
            first[row], second[row] = (self._offset(int(walls[row]), fold) for fold in (0, 1))
        return Offsets(first, second)

    def _offset_of_hour(self, hour: int) -> int | None:
        """The one offset of a whole hour of the clock's face, or None where the hour has more than one."""
        if hour not in self._of_hour:
            ends = (hour * HOUR_US, (hour + 1) * HOUR_US - 1)
            offsets = {self._offset(end, fold) for end in ends for fold in (0, 1)}
            self._of_hour[hour] = offsets.pop() if len(offsets) == 1 else None
        return self._of_hour[hour]

    def _offset(self, wall: int, fold: int) -> int:
        face = (EPOCH + wall * MICROSECOND).replace(tzinfo=self._zone, fold=fold)
        offset = face.utcoffset()
        return 0 if offset is None else offset // MICROSECOND


def resolve_folds(before: int | None, run: Sequence[int], after: int | None) -> list[int] | None:
    """Which pass of a repeated hour each wall of `run` is of, 0 or 1, where their order shows it; None otherwise.

    `run` holds one sensor's walls within the repeated hour as they follow one another in the file, `before` and
    `after` the walls on either side of them. In a file that runs forwards the one step back is where the clock was
    put back; in a file that has the newest row first it is the one step forwards.
    """
    steps = [later - earlier for earlier, later in pairwise(run)]
    up, down, level = sum(step > 0 for step in steps), sum(step < 0 for step in steps), steps.count(0)
    direction = _direction(before, run, after)
    if direction is None and not level:  # two steps or more the one way and one the other way can only mean this
        direction = 1 if down == 1 and up > 1 else -1 if up == 1 and down > 1 else None
    if direction is None:
        return None
    turned = [step * direction <= 0 for step in steps]
    # Sensors that report once an hour show the same wall twice; in a longer run a repeated wall is a repeated row.
    if sum(turned) != 1 or (level and len(run) > 2):
        return None
    turn = turned.index(True) + 1
    earlier, later = (0, 1) if direction > 0 else (1, 0)
    return [earlier] * turn + [later] * (len(run) - turn)


def _direction(before: int | None, run: Sequence[int], after: int | None) -> int | None:
    """1 where the rows around a run show that the file runs forwards, -1 for backwards, None where they do not."""
    signs = set()
    if before is not None:
        signs.add(1 if before < run[0] else -1)
    if after is not None:
        signs.add(1 if after > run[-1] else -1)
    return signs.pop() if len(signs) == 1 else None


@dataclass(slots=True)
class _Run:
    before: int | None
    walls: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


class RepeatedHourResolver:
    """Follows each sensor's walls through a file and decides the rows of repeated hours once their run has ended."""

    def __init__(self) -> None:
        self._last: dict[Hashable, int] = {}
        self._runs: dict[Hashable, _Run] = {}

    @property
    def is_pending(self) -> bool:
        """Whether rows of a repeated hour still wait for what follows them."""
        return bool(self._runs)

    def note_last_times(self, last_walls: dict[Hashable, int]) -> None:
        """Notice a stretch without a repeated hour, none being waited for: the last wall of each sensor in it."""
        self._last.update(last_walls)

    def process(
        self, sensors: Sequence[Hashable], walls: Sequence[int], rows: Sequence[int], ambiguous: Sequence[bool]
    ) -> dict[int, int | None]:
        """Notice rows in file order; answers the pass, or None for undecidable, of each row that is decided now."""
        decided: dict[int, int | None] = {}
        for sensor, wall, row, is_ambiguous in zip(sensors, walls, rows, ambiguous, strict=True):
            run = self._runs.get(sensor)
            if run and not (is_ambiguous and abs(wall - run.walls[0]) < DAY_US):
                decided |= _decide(self._runs.pop(sensor), after=wall)
                run = None
            if is_ambiguous:
                run = run or self._runs.setdefault(sensor, _Run(self._last.get(sensor)))
                run.walls.append(wall)
                run.rows.append(row)
            self._last[sensor] = wall
        return decided

    def finish(self) -> dict[int, int | None]:
        """Decide what still waits: nothing follows."""
        decided: dict[int, int | None] = {}
        for run in self._runs.values():
            decided |= _decide(run, after=None)
        self._runs.clear()
        return decided


def _decide(run: _Run, after: int | None) -> dict[int, int | None]:
    folds = resolve_folds(run.before, run.walls, after)
    return dict(zip(run.rows, folds, strict=True)) if folds else dict.fromkeys(run.rows)
