"""Retry the evaluations that failed, each in a transaction of its own."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from alarms.evaluation.evaluate import WORK_OF, evaluate_budgets
from alarms.evaluation.isolation import Part, begin_retry, evaluate_part, retry_part
from alarms.models import EvaluationFailure
from readings.storage.store import lock_units


def retry_failed(now: datetime | None = None, *, deadline: datetime | None = None) -> int:
    """Retry the evaluations that are due, longest overdue first; return how many succeeded.

    Stop at `deadline`; the next run continues with those that are left.
    """
    due = EvaluationFailure.objects.filter(part__in=list(WORK_OF), next_attempt_at__lte=now or timezone.now())
    succeeded = 0
    for failure_id, unit_id in due.order_by("next_attempt_at").values_list("pk", "storage_unit_id"):
        if deadline is not None and timezone.now() > deadline:
            break
        at = now or timezone.now()
        if begin_retry(failure_id, at):
            succeeded += _retry(failure_id, unit_id, at)
    return succeeded


@transaction.atomic
def _retry(failure_id: int, unit_id: int, now: datetime) -> bool:
    # Waits for transactions that store for the unit.
    lock_units([unit_id])
    failures = {each.pk: each for each in EvaluationFailure.objects.filter(storage_unit=unit_id)}
    failure = failures.pop(failure_id, None)
    if failure is None:
        return False
    depending = retry_part(failure, WORK_OF[Part(failure.part)], now)
    if depending:
        waiting = {(unit_id, each.part) for each in failures.values()}
        evaluate_part(Part.BUDGET, evaluate_budgets, depending, now, waiting)
    return depending is not None
