"""Convert local times in an IANA zone to UTC, also in the two hours a year when the clocks change."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ingestion.parsing.values.timestamps import DAY_US, EPOCH, HOUR_US, MICROSECOND


@dataclass(frozen=True, slots=True)
class Offsets:
    """UTC offsets of wall times in microseconds, for fold 0 (`first`) and fold 1 (`second`) of PEP 495.

    Where the two differ, the wall time is `ambiguous` (it occurs twice) or `skipped` (it does not exist).
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @property
    def ambiguous(self) -> NDArray[np.bool_]:
        """Which wall times occur twice."""
        return self.first > self.second

    @property
    def skipped(self) -> NDArray[np.bool_]:
        """Which wall times do not exist."""
        return self.first < self.second


class LocalClock:
    """Look up a zone's offsets for many wall times: once per hour, and row by row in hours with a change."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._offsets_by_hour: dict[int, int | None] = {}

    def offsets(self, walls: NDArray[np.int64]) -> Offsets:
        """Return the offsets of local wall times within the years 2 to 9998."""
        hours, position = np.unique(walls // HOUR_US, return_inverse=True)
        offsets = [self._offset_of_hour(int(hour)) for hour in hours]
        first = np.array([offset or 0 for offset in offsets], np.int64)[position]
        second = first.copy()
        changing = np.array([offset is None for offset in offsets], np.bool_)[position]
        for row in np.flatnonzero(changing):
            first[row], second[row] = (self._offset(int(walls[row]), fold) for fold in (0, 1))
        return Offsets(first, second)

    def _offset_of_hour(self, hour: int) -> int | None:
        """Return the offset of a whole local hour, None if it has more than one."""
        if hour not in self._offsets_by_hour:
            ends = (hour * HOUR_US, (hour + 1) * HOUR_US - 1)
            offsets = {self._offset(end, fold) for end in ends for fold in (0, 1)}
            self._offsets_by_hour[hour] = offsets.pop() if len(offsets) == 1 else None
        return self._offsets_by_hour[hour]

    def _offset(self, wall: int, fold: int) -> int:
        local = (EPOCH + wall * MICROSECOND).replace(tzinfo=self._zone, fold=fold)
        offset = local.utcoffset()
        return 0 if offset is None else offset // MICROSECOND


def resolve_folds(before: int | None, run: Sequence[int], after: int | None) -> list[int] | None:
    """Return the fold (0 or 1) of each wall time in a repeated hour if their order determines it, else None.

    `run` holds one sensor's wall times within the repeated hour in file order, `before` and `after` the adjacent ones.
    In an ascending file the only step back is where the clock was put back; in a descending file it is the only step
    forward.
    """
    steps = [later - earlier for earlier, later in pairwise(run)]
    up, down, level = sum(step > 0 for step in steps), sum(step < 0 for step in steps), steps.count(0)
    direction = _direction(before, run, after)
    if direction is None and not level:  # unambiguous with several steps one way and one the other
        direction = 1 if down == 1 and up > 1 else -1 if up == 1 and down > 1 else None
    if direction is None:
        return None
    reversals = [step * direction <= 0 for step in steps]
    # A sensor that reports hourly has the same wall time twice; in a longer run that is a repeated row.
    if sum(reversals) != 1 or (level and len(run) > 2):
        return None
    turn = reversals.index(True) + 1
    earlier, later = (0, 1) if direction > 0 else (1, 0)
    return [earlier] * turn + [later] * (len(run) - turn)


def _direction(before: int | None, run: Sequence[int], after: int | None) -> int | None:
    """Return 1 if the adjacent rows show that the file is ascending, -1 if descending, None if neither."""
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
    rows: list[Hashable] = field(default_factory=list)


class RepeatedHourResolver:
    """Follow each sensor's wall times through a file and resolve repeated hours once their run has ended."""

    def __init__(self) -> None:
        self._last: dict[Hashable, int] = {}
        self._runs: dict[Hashable, _Run] = {}

    @property
    def is_pending(self) -> bool:
        """Whether rows of a repeated hour wait for the rows after them."""
        return bool(self._runs)

    def note_last_times(self, last_walls: dict[Hashable, int]) -> None:
        """Note the last wall time of each sensor in rows without a repeated hour, while none is pending."""
        self._last.update(last_walls)

    def process(
        self, sensors: Sequence[Hashable], walls: Sequence[int], rows: Sequence[Hashable], ambiguous: Sequence[bool]
    ) -> dict[Hashable, int | None]:
        """Process rows in file order; return the fold, None if ambiguous, of each row resolved by them."""
        resolved: dict[Hashable, int | None] = {}
        for sensor, wall, row, is_ambiguous in zip(sensors, walls, rows, ambiguous, strict=True):
            run = self._runs.get(sensor)
            if run and not (is_ambiguous and abs(wall - run.walls[0]) < DAY_US):
                resolved |= _resolve(self._runs.pop(sensor), after=wall)
                run = None
            if is_ambiguous:
                run = run or self._runs.setdefault(sensor, _Run(self._last.get(sensor)))
                run.walls.append(wall)
                run.rows.append(row)
            self._last[sensor] = wall
        return resolved

    def finish(self) -> dict[Hashable, int | None]:
        """Resolve the pending rows at the end of the file."""
        resolved: dict[Hashable, int | None] = {}
        for run in self._runs.values():
            resolved |= _resolve(run, after=None)
        self._runs.clear()
        return resolved


def _resolve(run: _Run, after: int | None) -> dict[Hashable, int | None]:
    folds = resolve_folds(run.before, run.walls, after)
    return dict(zip(run.rows, folds, strict=True)) if folds else dict.fromkeys(run.rows)
