"""A running fleet: its units' readings, the faults and transport faults in force, and what was served so far."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from simulator.base.clock import Clock, RealClock
from simulator.base.instants import SECOND, microseconds_of, moment_of
from simulator.base.seeded_random import Integers
from simulator.model.faults import Fault, make_fault
from simulator.model.fleet import Customer, Fleet
from simulator.model.ledger import Account, total_of, unit_account
from simulator.model.series import MAX_ROWS, Rows, UnitSeries
from simulator.model.transport import Decision, TransportSettings, decide


class Window(NamedTuple):
    """The period that a request asks for, from `start_us` (inclusive) to `end_us` (exclusive), as of `now_us`."""

    start_us: int
    end_us: int
    now_us: int


class Piece(NamedTuple):
    """Some consecutive readings of one unit."""

    series: UnitSeries
    rows: Rows


class SimulatedCustomer:
    """One customer's simulated system."""

    def __init__(self, customer: Customer, seed: int, clock: Clock) -> None:
        self.customer = customer
        self.clock = clock
        self.transport: TransportSettings = customer.transport
        self.garbage_rows_served = 0
        self._seed = seed
        self.requests = 0
        self._series = {
            unit.code: UnitSeries.of(seed, customer, facility, unit) for facility, unit in customer.located_units()
        }
        self._faults: dict[str, tuple[Fault, ...]] = {}
        began = clock.now()
        for scripted in customer.faults:
            start = scripted.starts_at(began)
            self.schedule(
                make_fault(scripted.unit, scripted.kind, start, scripted.duration_minutes, scripted.offset_seconds)
            )

    @property
    def now_us(self) -> int:
        """The simulated time as an instant."""
        return microseconds_of(self.clock.now())

    @property
    def all_series(self) -> list[UnitSeries]:
        """The series of every unit."""
        return list(self._series.values())

    def series(self, code_or_name: str) -> UnitSeries | None:
        """Return the unit's series by its code, or else its name; None if there is none."""
        if code_or_name in self._series:
            return self._series[code_or_name]
        return next((each for each in self._series.values() if each.unit.name == code_or_name), None)

    def schedule(self, fault: Fault) -> bool:
        """Add a fault to its unit's readings; return False if it was already there."""
        known = self.faults_of(fault.unit)
        if fault in known:
            return False
        self._faults[fault.unit] = tuple(sorted((*known, fault)))
        return True

    def faults_of(self, unit_code: str) -> tuple[Fault, ...]:
        """Return the faults of a unit."""
        return self._faults.get(unit_code, ())

    @property
    def faults(self) -> list[Fault]:
        """All faults in order."""
        return sorted(fault for faults in self._faults.values() for fault in faults)

    def next_decision(self) -> Decision:
        """Decide the transport faults of the next request for data."""
        self.requests += 1
        return decide(self.transport, self._seed, self.customer.code, self.requests)

    def latest(self, series: UnitSeries) -> Rows:
        """Return the newest row of a series."""
        return series.latest(self.now_us, self.faults_of(series.unit.code))

    def window(self, start_us: int, end_us: int | None = None) -> Window:
        """Return the window from start to end, or up to and including now; never beyond now."""
        now_us = self.now_us
        return Window(start_us, now_us + 1 if end_us is None else min(end_us, now_us + 1), now_us)

    def pieces(
        self, wanted: Sequence[UnitSeries], window: Window, *, newest_first: bool = False
    ) -> Iterator[list[Piece]]:
        """Yield what was sampled in the window and is available now, about MAX_ROWS rows at a time."""
        time_chunks = list(_time_chunks(wanted, window))
        for time_chunk in reversed(time_chunks) if newest_first else time_chunks:
            yield [Piece(series, self._fetchable(series, time_chunk)) for series in wanted]

    def row_count(self, wanted: Sequence[UnitSeries], window: Window) -> int:
        """Return how many rows `pieces` yields."""
        return sum(piece.rows.size for pieces in self.pieces(wanted, window) for piece in pieces)

    def ledger(self, start_us: int, end_us: int | None) -> dict[str, object]:
        """Return what a perfect collector has stored once everything sampled up to now has been delivered.

        Periods refer to timestamps as sent, start inclusive, end exclusive. With end None everything from start on
        counts, including what a wrong clock has dated ahead of now.
        """
        now_us = self.now_us
        accounts: dict[str, Account] = {
            code: unit_account(series, start_us, end_us, now_us, self.faults_of(code))
            for code, series in self._series.items()
        }
        units = {
            code: {
                "sensor_id": self._series[code].sensor_id,
                "temperature_unit": self._series[code].unit.temperature_unit,
                **account.document(),
            }
            for code, account in accounts.items()
        }
        return {
            "customer": self.customer.code,
            "start": moment_of(start_us).isoformat(),
            "end": None if end_us is None else moment_of(end_us).isoformat(),
            "now": moment_of(now_us).isoformat(),
            "units": units,
            "total": total_of(accounts.values()).document(),
            "garbage_rows": self.garbage_rows_served,
        }

    def _fetchable(self, series: UnitSeries, window: Window) -> Rows:
        rows = series.between(window.start_us, window.end_us, self.faults_of(series.unit.code))
        return rows.where(self._available_us(series, rows) <= window.now_us)

    def _available_us(self, series: UnitSeries, rows: Rows) -> Integers:
        """Return from when on each row can be fetched."""
        settings, available_us = self.transport, rows.sampled_us
        if settings.late_seconds:
            available_us = available_us + series.delay_us(rows.indexes, settings.late_rows, settings.late_seconds)
        if settings.late_units and settings.is_late_unit(list(self._series).index(series.unit.code)):
            available_us = available_us + round(settings.late_unit_seconds * SECOND)
        if bundle_us := round(settings.bundle_seconds * SECOND):
            available_us = (available_us // bundle_us + 1) * bundle_us
        return available_us


class Simulation:
    """A fleet with a seed and a clock: the same three always give the same readings."""

    def __init__(self, fleet: Fleet, *, seed: int = 0, clock: Clock | None = None) -> None:
        self.fleet = fleet
        self.seed = seed
        self.clock = clock or RealClock()
        self.customers = {customer.code: SimulatedCustomer(customer, seed, self.clock) for customer in fleet.customers}


def _time_chunks(wanted: Sequence[UnitSeries], window: Window) -> Iterator[Window]:
    """Split the window where about MAX_ROWS rows have accumulated."""
    rows_per_second = sum(1.0 / series.unit.reading_every_seconds for series in wanted)
    if not rows_per_second:
        return
    step_us = max(int(MAX_ROWS / rows_per_second) * SECOND, SECOND)
    for start_us in range(window.start_us, window.end_us, step_us):
        yield Window(start_us, min(start_us + step_us, window.end_us), window.now_us)
