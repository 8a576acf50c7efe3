"""When a storage unit's sensor is read: its grid, its offset on the grid, and its jitter."""

from dataclasses import dataclass

import numpy as np

from simulator.base.instants import SECOND
from simulator.base.seeded_random import Integers, fraction, key_of, uniform


@dataclass(frozen=True)
class Grid:
    """Instants `index * interval + offset + jitter(index)`, in microseconds; index is any whole number.

    The jitter leaves at least a second between neighbours, so instants are in the order of their indexes.
    """

    interval_us: int
    offset_us: int
    jitter_us: int
    key: int

    @classmethod
    def of(cls, unit_key: int, interval_seconds: int, jitter_seconds: float) -> "Grid":
        """Return the sampling grid of a unit."""
        interval_us = interval_seconds * SECOND
        return cls(
            interval_us=interval_us,
            offset_us=int(fraction(key_of(unit_key, "offset")) * interval_us),
            jitter_us=min(round(jitter_seconds * SECOND), (interval_us - SECOND) // 2),
            key=key_of(unit_key, "jitter"),
        )

    def instants(self, indexes: Integers) -> Integers:
        """Return the true instants of these indexes, shaped as `indexes`."""
        on_grid = indexes * self.interval_us + self.offset_us
        if not self.jitter_us:
            return on_grid
        strays = (uniform(self.key, indexes) * 2.0 - 1.0) * self.jitter_us
        return on_grid + strays.astype(np.int64)

    def bounds(self, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the half-open range of indexes whose instants lie in [start, end)."""
        return self._first_at_or_after(start_us), self._first_at_or_after(end_us)

    def last_before(self, instant_us: int) -> int:
        """Return the index of the last instant before this one."""
        return self._first_at_or_after(instant_us) - 1

    def _first_at_or_after(self, instant_us: int) -> int:
        guess = (instant_us - self.offset_us) // self.interval_us
        near = np.arange(guess - 1, guess + 3, dtype=np.int64)
        return int(near[0]) + int(np.searchsorted(self.instants(near), instant_us, side="left"))
