"""The readings of a storage unit as a function of (seed, unit, sampling instant): the core of the simulator."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulator.base.instants import SECOND
from simulator.base.seeded_random import Flags, Floats, Integers, fraction, key_of, uniform
from simulator.model.faults import Fault, clock_segments, during, warmth
from simulator.model.fleet import Customer, Facility, Unit
from simulator.model.sampling import Grid
from simulator.model.thermal import Room, ambient_c

# Rows computed at once: enough to be fast, few enough for any history to fit into memory.
MAX_ROWS = 50_000


class Rows(NamedTuple):
    """Readings in the order they were sampled; every field is an array of the same length.

    sampled_us is the true time, recorded_us the timestamp. thousandths is the temperature as sent, in thousandths of
    the unit's own scale (0 where measured is False). quality is in ten-thousandths.
    """

    indexes: Integers
    sampled_us: Integers
    recorded_us: Integers
    thousandths: Integers
    measured: Flags
    quality: Integers

    def where(self, chosen: Flags) -> "Rows":
        """Return the rows for which `chosen` is true."""
        return Rows(
            self.indexes[chosen],
            self.sampled_us[chosen],
            self.recorded_us[chosen],
            self.thousandths[chosen],
            self.measured[chosen],
            self.quality[chosen],
        )

    @property
    def size(self) -> int:
        """The number of rows."""
        return int(self.indexes.size)


@dataclass(frozen=True)
class UnitSeries:
    """A unit's readings. Faults are passed to each method, because they may be scheduled while the simulator runs."""

    customer: Customer
    facility: Facility
    unit: Unit
    key: int
    grid: Grid
    room: Room

    @classmethod
    def of(cls, seed: int, customer: Customer, facility: Facility, unit: Unit) -> "UnitSeries":
        """Return the series of a unit, determined by the seed and the codes."""
        key = key_of(seed, customer.code, unit.code)
        grid = Grid.of(key, unit.reading_every_seconds, customer.data_quality.clock_jitter_seconds)
        room = Room.of(key, unit.set_temperature_c, unit.size_square_metres)
        return cls(customer, facility, unit, key, grid, room)

    @property
    def sensor_id(self) -> str:
        """The id, stable for a unit and a seed, such as `sensor_ultra-low_freezer_1_3`."""
        label = (self.unit.name or self.unit.code).lower().replace(" ", "_")
        return f"sensor_{label}_{1 + int(fraction(key_of(self.key, 'sensor')) * 9)}"

    def between(self, start_us: int, end_us: int, faults: Sequence[Fault] = ()) -> Rows:
        """Return what was sampled in [start, end), in true time."""
        return self.at(np.arange(*self.grid.bounds(start_us, end_us), dtype=np.int64), faults)

    def latest(self, now_us: int, faults: Sequence[Fault] = ()) -> Rows:
        """Return the newest sample up to and including now: one row, or none during a power cut."""
        return self.at(np.array([self.grid.last_before(now_us + 1)], dtype=np.int64), faults)

    def at(self, indexes: Integers, faults: Sequence[Fault] = ()) -> Rows:
        """Return the readings at these sampling indexes, without those prevented by a power cut."""
        sampled_us = self.grid.instants(indexes)
        cut = during(faults, "power_cut", sampled_us)
        if cut.any():
            indexes, sampled_us = indexes[~cut], sampled_us[~cut]
        measured = self._chance("null reading", indexes) >= self.customer.data_quality.null_reading
        measured &= ~during(faults, "sensor_dead", sampled_us)
        thousandths = np.where(measured, self._as_sent(self._celsius(indexes, sampled_us, faults)), 0)
        quality = np.rint((0.9 + 0.1 * self._chance("quality", indexes)) * 10_000).astype(np.int64)
        recorded_us = self._recorded(sampled_us, faults)
        return Rows(indexes, sampled_us, recorded_us, thousandths, measured, np.where(measured, quality, 0))

    def recorded_between(
        self, start_us: int, end_us: int | None, now_us: int, faults: Sequence[Fault] = ()
    ) -> Iterator[Rows]:
        """Yield what was sampled up to now with a timestamp in [start, end), in chunks; end None means no end.

        Timestamps are true times unless a clock is wrong; then they differ by its error.
        """
        sampled_end_us = now_us + 1
        for begins_us, ends_us, error_us in self._time_chunks(faults):
            low = max(begins_us, start_us - error_us)
            # A timestamp of whole seconds is up to a second before its instant, so look that much further.
            high = sampled_end_us if end_us is None else min(end_us - error_us + SECOND, sampled_end_us)
            first, last = self.grid.bounds(low, min(high, ends_us)) if low < min(high, ends_us) else (0, 0)
            for piece in range(first, last, MAX_ROWS):
                rows = self.at(np.arange(piece, min(piece + MAX_ROWS, last), dtype=np.int64), faults)
                wanted = rows.recorded_us >= start_us
                if end_us is not None:
                    wanted &= rows.recorded_us < end_us
                yield rows.where(wanted)

    def delay_us(self, indexes: Integers, late_rows: float, late_seconds: float) -> Integers:
        """Return how long after sampling each reading becomes available."""
        late = self._chance("late", indexes) < late_rows
        return np.where(late, self._chance("how late", indexes) * late_seconds * SECOND, 0.0).astype(np.int64)

    def unnamed(self, indexes: Integers) -> Flags:
        """Return which readings are sent without the unit's name."""
        return self._chance("null name", indexes) < self.customer.data_quality.null_name

    def without_city(self, indexes: Integers) -> Flags:
        """Return which readings are sent without the facility's city."""
        return self._chance("null city", indexes) < self.customer.data_quality.null_city

    def _celsius(self, indexes: Integers, sampled_us: Integers, faults: Sequence[Fault]) -> Floats:
        celsius = self.room.temperatures_c(sampled_us)
        if faults:
            warm = warmth(faults, sampled_us, self.room.time_constant_seconds)
            celsius = celsius + (ambient_c(sampled_us) - celsius) * warm
        celsius = celsius + self.room.noise(indexes)
        for fault in sorted(each for each in faults if each.kind == "sensor_stuck"):
            stuck = (sampled_us >= fault.start_us) & (sampled_us < fault.end_us)
            if stuck.any():
                celsius = np.where(stuck, self._last_before(fault, faults), celsius)
        return celsius

    def _last_before(self, stuck: Fault, faults: Sequence[Fault]) -> float:
        """Return what the sensor measured last before it got stuck, other faults included."""
        index = np.array([self.grid.last_before(stuck.start_us)], dtype=np.int64)
        others = [each for each in faults if each.kind != "sensor_stuck" or each < stuck]
        return float(self._celsius(index, self.grid.instants(index), others)[0])

    def _as_sent(self, celsius: Floats) -> Integers:
        value = celsius * 1.8 + 32.0 if self.unit.temperature_unit == "F" else celsius
        if self.customer.whole_degrees:
            return np.rint(value).astype(np.int64) * 1_000
        return np.rint(value * 100.0).astype(np.int64) * 10

    def _recorded(self, sampled_us: Integers, faults: Sequence[Fault]) -> Integers:
        recorded_us = sampled_us.copy()
        for start_us, end_us, error_us in clock_segments(faults):
            recorded_us[(sampled_us >= start_us) & (sampled_us < end_us)] += error_us
        if self.customer.timestamps == "space":
            recorded_us -= recorded_us % SECOND
        return recorded_us

    def _time_chunks(self, faults: Sequence[Fault]) -> Iterator[tuple[int, int, int]]:
        """All of time as (start, end, the clock's error)."""
        begins_us = -(2**62)
        for start_us, end_us, error_us in clock_segments(faults):
            if begins_us < start_us:
                yield begins_us, start_us, 0
            yield start_us, end_us, error_us
            begins_us = end_us
        yield begins_us, 2**62, 0

    def _chance(self, what: str, indexes: Integers) -> Floats:
        return uniform(key_of(self.key, what), indexes)
