"""Whatever is imported, pushed, decided and undone in whatever order: nothing of undone imports remains."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from ingestion.imports.tests import imported
from ingestion.loading import conflicts
from ingestion.loading.due_readings import load_due_readings
from ingestion.loading.source_push import SentBody, load_sent
from ingestion.models import Conflict, FileImport
from readings.models import FutureReading, HourlyRollup, LatestReading, Reading
from tests.factories import CustomerFactory, FacilityFactory, PushSourceFactory, StorageUnitFactory
from tests.state_machines import DatabaseMachine, run_machine

# About five seconds of CPU time.
EXAMPLES, STEPS = 10, 16
HOUR = timedelta(hours=1)
rows = st.dictionaries(st.integers(0, 2), st.sampled_from([4.0, 5.0, 25.0]), min_size=1)

Key = tuple[int, float]


@dataclass
class Contradiction:
    """A row that contradicts a reading: the number of the import it belongs to, None for what is not undone."""

    owner: int | None
    state: str = "waiting"
    is_received_again: bool = False
    decided: int = 0


@dataclass
class Expected:
    """What is expected: of each instant the temperature that arrived first and its owner, and what contradicts it."""

    arrived: dict[int, tuple[int | None, float]] = field(default_factory=dict)
    contradictions: dict[Key, Contradiction] = field(default_factory=dict)
    decisions: count[int] = field(default_factory=lambda: count(1))

    def of_instant(self, instant: int) -> list[tuple[float, Contradiction]]:
        """Return what contradicts a reading, in order of arrival."""
        return [(temperature, each) for (at, temperature), each in self.contradictions.items() if at == instant]

    def temperature(self, instant: int) -> float:
        """Return the temperature of a reading: that of the contradiction accepted last, or the one it arrived with."""
        accepted = [(each.decided, t) for t, each in self.of_instant(instant) if each.state == "accepted"]
        return max(accepted)[1] if accepted else self.arrived[instant][1]

    def receive(self, owner: int | None, sent: dict[int, float]) -> None:
        """Receive rows."""
        for instant, temperature in sent.items():
            if instant not in self.arrived:
                self.arrived[instant] = owner, temperature
            elif temperature != self.temperature(instant):
                known = self.contradictions.get((instant, temperature))
                if known is None or known.state == "undone":
                    self.contradictions[instant, temperature] = Contradiction(owner)
                else:
                    known.is_received_again = True

    def decide(self, key: Key, state: str) -> None:
        """Accept or dismiss a contradiction."""
        self.contradictions[key].state = state
        self.contradictions[key].decided = next(self.decisions)

    def undo(self, undone: int) -> None:
        """Undo an import."""
        for instant in [at for at, (owner, _) in self.arrived.items() if owner == undone]:
            self._replace(instant, undone)
        for each in self.contradictions.values():
            if each.owner == undone and not each.is_received_again and each.state in ("waiting", "accepted"):
                each.state = "undone"

    def _replace(self, instant: int, undone: int) -> None:
        """Withdraw a reading; what contradicts it takes its place."""
        del self.arrived[instant]
        left = [
            (each.state != "accepted", -each.decided if each.state == "accepted" else 0, number, temperature)
            for number, (temperature, each) in enumerate(self.of_instant(instant))
            if each.state in ("waiting", "accepted") and (each.owner != undone or each.is_received_again)
        ]
        if left:
            temperature = min(left)[-1]
            chosen = self.contradictions[instant, temperature]
            self.arrived[instant] = None if chosen.is_received_again else chosen.owner, temperature
            if chosen.state == "waiting":
                self.decide((instant, temperature), "accepted")


class Imports(DatabaseMachine):
    """A fridge, to which files and pushes bring readings of three instants, the last of which is to come."""

    def __init__(self) -> None:
        super().__init__()
        self.expected = Expected()
        self.imports: list[FileImport] = []
        self.number = 0
        self.customer = CustomerFactory()
        self.source = PushSourceFactory(customer=self.customer, default_unit_code="fridge")
        self.unit = StorageUnitFactory(facility=FacilityFactory(customer=self.customer), unit_code="fridge")
        now = timezone.now().replace(second=0, microsecond=0)
        self.instants = [now - 30 * HOUR, now - 29 * HOUR, now + 3 * HOUR]

    def _text(self, sent: dict[int, float]) -> str:
        # A body that is known is not loaded again.
        self.number += 1
        lines = [f"{self.instants[at]:%Y-%m-%d %H:%M},{temperature},{self.number}" for at, temperature in sent.items()]
        return "\n".join(["time,temp,note", *lines, ""])

    @rule(sent=rows)
    def push(self, sent: dict[int, float]) -> None:
        load_sent(self.source, SentBody(data=self._text(sent).encode()))
        self.expected.receive(None, sent)

    @rule(sent=rows)
    def import_file(self, sent: dict[int, float]) -> None:
        self.imports.append(imported.stored(self.customer, self._text(sent)))
        self.expected.receive(len(self.imports) - 1, sent)

    def _waiting(self) -> list[Key]:
        return [key for key, each in self.expected.contradictions.items() if each.state == "waiting"]

    @precondition(lambda self: self._waiting())
    @rule(data=st.data(), is_accepted=st.booleans())
    def decide(self, data: st.DataObject, is_accepted: bool) -> None:
        instant, temperature = key = data.draw(st.sampled_from(self._waiting()))
        conflict = Conflict.objects.filter(recorded_at=self.instants[instant], temperature_c=temperature)
        assert (conflicts.accept if is_accepted else conflicts.dismiss)(conflict, by="bert") == 1
        self.expected.decide(key, "accepted" if is_accepted else "dismissed")

    @precondition(lambda self: any(each.state == FileImport.State.STORED for each in self.imports))
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        stored = [number for number, each in enumerate(self.imports) if each.state == FileImport.State.STORED]
        number = data.draw(st.sampled_from(stored))
        imported.undo(self.imports[number])
        self.expected.undo(number)

    @rule()
    def let_time_come(self) -> None:
        load_due_readings(self.instants[-1])

    @invariant()
    def everything_is_as_expected(self) -> None:
        connection.check_constraints()
        found = [*Reading.objects.values_list("recorded_at", "temperature_c")]
        found += FutureReading.objects.values_list("recorded_at", "temperature_c")
        expected = [(self.instants[at], self.expected.temperature(at)) for at in self.expected.arrived]
        assert sorted(found) == sorted(expected)
        assert {(each.recorded_at, each.temperature_c): each.state for each in Conflict.objects.all()} == {
            (self.instants[at], temperature): each.state
            for (at, temperature), each in self.expected.contradictions.items()
        }

    @invariant()
    def what_follows_from_readings_is_up_to_date(self) -> None:
        readings = list(Reading.objects.order_by("recorded_at").values_list("recorded_at", "temperature_c"))
        assert list(LatestReading.objects.values_list("recorded_at", "temperature_c")) == readings[-1:]
        assert sum(HourlyRollup.objects.values_list("reading_count", flat=True)) == len(readings)


@pytest.mark.django_db
def test_undone_imports_leave_what_there_would_be_without_them() -> None:
    run_machine(Imports, examples=EXAMPLES, steps=STEPS)
