"""A request that ends the process of its evaluation is attempted again with increasing delays and holds up no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from alarms.evaluation import mkt_checks, reevaluation
from alarms.evaluation.isolation import Part, Spans, Work, evaluate_part, retry_part
from alarms.evaluation.mkt_checks import run_requested_checks
from alarms.evaluation.reevaluation import run_reevaluations
from alarms.evaluation.tests.test_evaluate import make_unit, rows_of
from alarms.models import EvaluationFailure, Excursion, MktCheck, Reevaluation
from alarms.tests.evaluation import at, by_definition, load, stored
from customers.models import StorageUnit
from readings.storage.rollups import refresh

pytestmark = pytest.mark.django_db

MKT = Excursion.Kind.MKT
MKT_LIMITS = {"mkt_limit_c": 8.0, "mkt_window_seconds": 2 * 3600, "high_warning_c": None, "high_critical_c": None}


class _Killed(BaseException):
    """Ends an evaluation like a killed process: no handler of exceptions runs."""


def killed_by(unit: StorageUnit, work: Callable[..., Spans]) -> Callable[..., Spans]:
    """Return `work`, which this unit ends."""

    def work_or_end(part: Part, of_part: object, spans: Spans, now: datetime) -> Spans:
        if unit.pk in spans:
            raise _Killed
        return work(part, of_part, spans, now)

    return work_or_end


def test_a_reevaluation_that_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    deadly, other = units = [make_unit() for _ in range(2)]
    for unit in units:
        load(rows_of(unit, [(0, 0, 9), (30, 0, 9)]), at(30))
    expected = by_definition(deadly)
    Excursion.objects.update(outside_seconds=1)
    for unit in units:
        Reevaluation.request(unit.pk, at(0), Reevaluation.Reason.LIMITS)
    monkeypatch.setattr(reevaluation, "evaluate_part", killed_by(deadly, evaluate_part))
    now = at(31)
    with pytest.raises(_Killed):
        run_reevaluations(now)

    # The next worker goes on with the other unit.
    assert run_reevaluations(now) == 1
    assert stored(other) == by_definition(other)
    delays = []
    for attempts in range(1, 5):
        request = Reevaluation.objects.get()
        assert (request.storage_unit, request.attempts) == (deadly, attempts)
        assert request.next_attempt_at is not None
        delays.append((request.next_attempt_at - now).total_seconds())
        assert run_reevaluations(request.next_attempt_at - timedelta(milliseconds=1)) == 0
        now = request.next_attempt_at
        with pytest.raises(_Killed):
            run_reevaluations(now)
    assert all(0.75 <= delay / (15 * 2**number) <= 1.25 for number, delay in enumerate(delays))

    monkeypatch.undo()
    assert run_reevaluations(now + timedelta(hours=2)) == 1
    assert stored(deadly) == expected
    assert not Reevaluation.objects.exists()


def test_an_mkt_check_that_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    deadly, other = units = [make_unit(**MKT_LIMITS) for _ in range(2)]
    for unit in units:
        load(rows_of(unit, [(each, 0, 12) for each in range(0, 181, 10)]), at(180))
    refresh()
    now = at(180)
    monkeypatch.setattr(mkt_checks, "evaluate_part", killed_by(deadly, evaluate_part))
    with pytest.raises(_Killed):
        run_requested_checks(now)

    # Units that were checked together are checked alone from then on.
    assert run_requested_checks(now) == 0
    with pytest.raises(_Killed):
        run_requested_checks(now + timedelta(minutes=1))
    assert run_requested_checks(now + timedelta(minutes=1)) == 1
    assert stored(other, MKT)
    # New readings extend what is checked, and do not make it due.
    load(rows_of(deadly, [(181, 0, 12)]), at(181))
    refresh()
    assert run_requested_checks(now + timedelta(minutes=1)) == 0
    assert MktCheck.objects.get(pk=deadly.pk).attempts == 2

    monkeypatch.undo()
    assert run_requested_checks(now + timedelta(minutes=3)) == 1
    assert stored(deadly, MKT) == stored(other, MKT)
    assert MktCheck.objects.get(pk=deadly.pk).attempts == 0


def test_the_retry_of_an_mkt_check_that_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    units = [make_unit(**MKT_LIMITS) for _ in range(2)]
    deadly = units[0]
    for unit in units:
        load(rows_of(unit, [(each, 0, 12) for each in range(0, 181, 10)]), at(180))
        EvaluationFailure.objects.create(
            storage_unit=unit, part=Part.MKT, first_at=at(0), last_at=at(0), failed_at=at(0), last_attempt_at=at(0),
            next_attempt_at=at(0 if unit == deadly else 1), reason="ZeroDivisionError", error="Traceback",
        )  # fmt: skip
    refresh()
    now = at(180)

    def retry_or_end(failure: EvaluationFailure, work: Work, now: datetime) -> object:
        if failure.storage_unit_id == deadly.pk:
            raise _Killed
        return retry_part(failure, work, now)

    monkeypatch.setattr(mkt_checks, "retry_part", retry_or_end)
    with pytest.raises(_Killed):
        run_requested_checks(now)
    assert run_requested_checks(now) == 1
    failure = EvaluationFailure.objects.get()
    assert (failure.storage_unit, failure.attempts, failure.last_attempt_at) == (deadly, 1, now)


def test_a_check_that_waits_for_stale_hours_is_no_attempt() -> None:
    unit = make_unit(**MKT_LIMITS)
    load(rows_of(unit, [(each, 0, 12) for each in range(0, 181, 10)]), at(180))
    assert run_requested_checks(at(180)) == 0
    assert MktCheck.objects.get().attempts == 0
