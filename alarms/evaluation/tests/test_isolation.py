"""A unit that cannot be evaluated is recorded and retried; its readings are stored and other units are evaluated."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection

from alarms.evaluation import evaluate, mkt_checks
from alarms.evaluation.isolation import Spans
from alarms.evaluation.mkt_checks import run_requested_checks
from alarms.evaluation.retries import retry_failed
from alarms.evaluation.tests.test_evaluate import make_unit, rows_of
from alarms.excursions import budget
from alarms.excursions.budget import Violation
from alarms.excursions.detected import EffectiveLimits
from alarms.excursions.mkt import MktWindow, find_mkt_excursions
from alarms.models import Alarm, EvaluationFailure, Excursion
from alarms.tests.evaluation import at, budgets_by_definition, by_definition, load, stored
from alarms.tests.mkt_definition import mkt_by_definition, stored_mkt
from customers.models import StorageUnit
from readings.models import Reading
from readings.storage.rollups import refresh

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
BUDGET, MKT = Excursion.Kind.BUDGET, Excursion.Kind.MKT


def push(units: list[StorageUnit], *minutes: float, temperature_c: float = 9) -> datetime:
    """Store one reading of each unit at each of these minutes after the start, in one batch; return the time then."""
    now = at(minutes[-1])
    load([row for unit in units for row in rows_of(unit, [(each, 0, temperature_c) for each in minutes])], now)
    # What would be checked when the transaction is committed.
    connection.check_constraints()
    return now


def damage(unit: StorageUnit) -> None:
    """Make the saved state of the unit's ongoing excursion unreadable."""
    assert Excursion.objects.filter(storage_unit=unit, ended_at=None).update(progress={"at": "yesterday"}) == 1


def repair(unit: StorageUnit) -> None:
    """Remove the saved state, so that the excursion is evaluated from its beginning."""
    Excursion.objects.filter(storage_unit=unit, ended_at=None).update(progress=None)


def retry(now: datetime) -> int:
    succeeded = retry_failed(now)
    connection.check_constraints()
    return succeeded


def test_the_readings_of_all_units_are_stored_and_all_other_units_evaluated() -> None:
    units = [make_unit() for _ in range(5)]
    push(units, 0)
    damage(units[3])
    now = push(units, 30)
    assert Reading.objects.count() == 10
    failure = EvaluationFailure.objects.get()
    assert (failure.storage_unit, failure.part, failure.attempts) == (units[3], "temperature", 1)
    assert (failure.first_at, failure.last_at, failure.failed_at) == (at(30), at(30), now)
    opened = set(Alarm.objects.filter(state="open").values_list("storage_unit", flat=True))
    assert opened == {unit.pk for unit in units if unit != units[3]}
    for unit in units:
        assert (stored(unit) == by_definition(unit)) is (unit != units[3])


def test_the_full_error_is_recorded() -> None:
    unit = make_unit()
    push([unit], 0)
    damage(unit)
    push([unit], 5)
    failure = EvaluationFailure.objects.get()
    assert failure.error.startswith("Traceback (most recent call last):")
    assert "in load_state" in failure.error
    assert failure.reason.startswith("msgspec.ValidationError: ")


def test_new_readings_wait_for_the_retry_which_evaluates_everything_since_the_failure() -> None:
    unit = make_unit()
    push([unit], 0)
    damage(unit)
    push([unit], 10)
    push([unit], 20, temperature_c=11)
    push([unit], 30, 35, 40, temperature_c=5)
    now = push([unit], 45)
    failure = EvaluationFailure.objects.get()
    assert (failure.attempts, failure.first_at, failure.last_at) == (1, at(10), at(45))
    repair(unit)
    assert retry(now) == 1
    assert not EvaluationFailure.objects.exists()
    assert stored(unit) == by_definition(unit) != []
    push([unit], 50)
    assert stored(unit) == by_definition(unit)


def test_an_alarm_that_was_due_in_the_meantime_is_opened_by_the_retry() -> None:
    unit = make_unit()
    push([unit], 0)
    damage(unit)
    now = push([unit], 10, 20, 30)
    assert Alarm.objects.get().state == "pending"
    repair(unit)
    retry(now + MINUTE)
    assert Alarm.objects.get().state == "open"


def test_retries_take_place_with_increasing_delays() -> None:
    unit = make_unit()
    push([unit], 0)
    damage(unit)
    now = push([unit], 10)
    delays = []
    for attempts in range(1, 8):
        failure = EvaluationFailure.objects.get()
        assert failure.attempts == attempts
        delays.append((failure.next_attempt_at - now).total_seconds())
        assert retry(failure.next_attempt_at - timedelta(milliseconds=1)) == 0
        assert EvaluationFailure.objects.get().attempts == attempts
        now = failure.next_attempt_at
        assert retry(now) == 0
    assert all(0.75 <= delay / (15 * 2**number) <= 1.25 for number, delay in enumerate(delays))


def test_a_failure_may_be_retried_at_once() -> None:
    unit = make_unit()
    push([unit], 0)
    damage(unit)
    now = push([unit], 10)
    repair(unit)
    assert retry(now) == 0
    assert EvaluationFailure.retry_soon(EvaluationFailure.objects.all()) == 1
    assert retry(now) == 1


def test_a_violated_constraint_is_found_before_the_transaction_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    units = [make_unit(allowed_seconds=600), make_unit()]
    monkeypatch.setattr(budget, "violations", lambda *_, since_us, **__: [Violation(since_us + 1, since_us + 1, 1)] * 2)
    now = push(units, 0, 30)
    failure = EvaluationFailure.objects.get()
    assert (failure.part, failure.storage_unit) == ("budget", units[0])
    assert "excursion_once_a_unit_kind_and_start" in failure.reason
    # The temperatures are evaluated, and people are notified of them.
    assert {alarm.storage_unit_id for alarm in Alarm.objects.filter(state="open")} == {unit.pk for unit in units}
    monkeypatch.undo()
    push(units, 35, 40)
    assert EvaluationFailure.objects.get().last_at == at(40)
    assert retry(now + MINUTE) == 1
    assert stored(units[0], BUDGET) == budgets_by_definition(units[0]) != []


def test_budgets_are_evaluated_after_temperatures_were_retried() -> None:
    unit = make_unit(allowed_seconds=600)
    push([unit], 0)
    damage(unit)
    now = push([unit], 10, 20)
    assert not Excursion.objects.filter(kind=BUDGET).exists()
    repair(unit)
    assert retry(now + MINUTE) == 1
    assert stored(unit, BUDGET) == budgets_by_definition(unit) != []


def test_a_unit_whose_sensor_faults_cannot_be_updated_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    units = [make_unit(), make_unit()]

    def fail_for_the_first(unit_ids: dict[int, object]) -> None:
        if units[0].pk in unit_ids:
            connection.cursor().execute("SELECT 1 / 0")

    monkeypatch.setattr(evaluate, "update_faults", fail_for_the_first)
    load([row for unit in units for row in rows_of(unit, [(0, 0, 9), (5, 1, None)])], at(5))
    failure = EvaluationFailure.objects.get()
    assert (failure.part, failure.storage_unit) == ("sensor_fault", units[0])
    assert failure.reason.startswith("django.db.utils.DataError: division by zero")
    assert Excursion.objects.count() == 2


def test_a_failing_prefilter_makes_every_unit_a_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FloatingPointError

    unit = make_unit()
    monkeypatch.setattr(evaluate, "prefilter", fail)
    push([unit], 0, 10)
    assert stored(unit) == by_definition(unit) != []
    assert not EvaluationFailure.objects.exists()


@pytest.mark.parametrize("query", ["unit_snapshots", "request"])
def test_an_error_of_the_database_before_or_after_the_evaluation_affects_nothing_else(
    monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    def fail(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    unit = make_unit(mkt_limit_c=8.0)
    monkeypatch.setattr(evaluate if query == "unit_snapshots" else mkt_checks, query, fail)

    push([unit], 0, 10)

    assert stored(unit) == by_definition(unit) != []
    assert list(EvaluationFailure.objects.values_list("part", flat=True)) == ["mkt"] * (query == "request")


def test_a_request_for_an_mkt_check_that_failed_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = make_unit(mkt_limit_c=8.0, mkt_window_seconds=3600)
    with monkeypatch.context() as patched:
        patched.setattr(mkt_checks, "REQUEST", "SELECT 1 / 0")
        push([unit], *range(0, 60, 10))
    assert EvaluationFailure.objects.get().part == "mkt"
    refresh()

    mkt_checks.run_requested_checks(at(24 * 60))

    assert not EvaluationFailure.objects.exists()
    assert stored_mkt(unit) == mkt_by_definition(unit, at(24 * 60)) != []


def test_units_are_recorded_together_when_the_time_of_the_task_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def take_too_long(*arguments: object) -> None:
        calls.append(arguments)
        raise SoftTimeLimitExceeded

    units = [make_unit() for _ in range(3)]
    monkeypatch.setattr(evaluate, "replay", take_too_long)
    now = push(units, 0)
    assert EvaluationFailure.objects.count() == Reading.objects.count() == 3
    assert len(calls) == 1
    monkeypatch.undo()
    assert retry(now + MINUTE) == 3


def test_a_failing_mkt_check_is_retried_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"mkt_limit_c": 8.0, "mkt_window_seconds": 2 * 3600, "high_warning_c": None, "high_critical_c": None}
    units = [make_unit(**limits) for _ in range(2)]
    broken = find_mkt_excursions

    def fail_for_the_first(windows: list[MktWindow], version: EffectiveLimits) -> list[object]:
        if version.version_id == units[0].limit_versions.get().pk:
            raise ZeroDivisionError("no windows")
        return list(broken(windows, version))

    monkeypatch.setattr(mkt_checks, "find_mkt_excursions", fail_for_the_first)
    now = push(units, *range(0, 181, 10), temperature_c=12)
    refresh()
    assert run_requested_checks(now) == 1
    failure = EvaluationFailure.objects.get()
    assert (failure.part, failure.storage_unit, failure.first_at) == ("mkt", units[0], at(0))
    assert Excursion.objects.get(kind=MKT).storage_unit == units[1]
    monkeypatch.undo()
    assert run_requested_checks(now) == 0
    assert run_requested_checks(now + MINUTE) == 1
    assert not EvaluationFailure.objects.exists()
    assert stored(units[0], MKT) == stored(units[1], MKT)


class _Killed(BaseException):
    """Ends a retry like a killed process: no handler of exceptions runs."""


def test_a_retry_that_ends_its_process_waits_longer_each_time_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    units = [make_unit() for _ in range(2)]
    push(units, 0)
    for unit in units:
        damage(unit)
    now = push(units, 5) + timedelta(hours=1)
    deadly, other = units
    repair(other)
    kept = evaluate.WORK_OF[EvaluationFailure.Part.TEMPERATURE]

    def work(spans: Spans, now: datetime) -> Spans:
        if deadly.pk in spans:
            raise _Killed
        return kept(spans, now)

    monkeypatch.setitem(evaluate.WORK_OF, EvaluationFailure.Part.TEMPERATURE, work)
    EvaluationFailure.objects.filter(storage_unit=deadly).update(next_attempt_at=at(5))
    with pytest.raises(_Killed):
        retry_failed(now)

    assert retry(now) == 1
    failure = EvaluationFailure.objects.get()
    assert (failure.storage_unit, failure.attempts) == (deadly, 2)
    assert failure.next_attempt_at > now
