"""Keep the failure of one unit's evaluation from affecting storing and other units.

A part of the evaluation runs for many units at once, in a savepoint. If it fails, the units are divided in two until
the failing ones are alone; those are recorded, with the error, and retried with increasing delays. Until a retry
succeeds, new readings of such a unit only extend the time that the retry evaluates.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import structlog
from django.db import connection

from alarms.models import EvaluationFailure
from core.db.attempts import begin_attempt, error_text, next_attempt_at
from core.db.savepoints import divided
from readings.storage.store import NewSpan

logger = structlog.get_logger(__name__)

Part = EvaluationFailure.Part
Spans = Mapping[int, NewSpan]
# Evaluates the readings of these units in these spans; returns the spans that what depends on it has to evaluate.
Work = Callable[[Spans, datetime], Spans]

REASON_LENGTH = 500
SET_ASIDE = """
UPDATE evaluation_failure SET first_at = least(first_at, span.first), last_at = greatest(last_at, span.last)
FROM unnest(%(unit_ids)s::int[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) AS span (unit_id, first, last)
WHERE storage_unit_id = span.unit_id AND part = %(part)s
"""


def evaluate_part(
    part: Part, work: Work, spans: Spans, now: datetime, failed: Collection[tuple[int, str]] = ()
) -> dict[int, NewSpan]:
    """Evaluate a part of these units and return what `work` returned for those that succeeded.

    Call it in a transaction that holds the units' locks. failed: units and parts that wait for a retry, which are left
    to it. What fails is recorded and raises nothing, unless the transaction itself is lost.
    """
    waiting = {unit_id: span for unit_id, span in spans.items() if (unit_id, part.value) in failed}
    if waiting:
        _set_aside(part, waiting)
    return _divide(part, work, {each: span for each, span in spans.items() if each not in waiting}, now)


def begin_retry(failure_id: int, now: datetime) -> bool:
    """Count a retry before it begins; return False if it is not due, or another worker has begun it."""
    return begin_attempt(EvaluationFailure, failure_id, now, last_attempt_at=now)


def retry_part(failure: EvaluationFailure, work: Work, now: datetime) -> dict[int, NewSpan] | None:
    """Evaluate what failed once more and forget the failure; return None, with the failure recorded, if it fails."""
    unit_id, part = failure.storage_unit_id, Part(failure.part)

    def evaluate_and_forget(spans: Spans, now: datetime) -> Spans:
        depending = work(spans, now)
        EvaluationFailure.objects.filter(pk=failure.pk).delete()
        return depending

    depending = _divide(part, evaluate_and_forget, {unit_id: NewSpan(failure.first_at, failure.last_at)}, now)
    if EvaluationFailure.objects.filter(pk=failure.pk).exists():
        return None
    logger.info("unit evaluated again", part=part.value, storage_unit_id=unit_id, attempts=failure.attempts)
    return depending


def _divide(part: Part, work: Work, spans: Spans, now: datetime) -> dict[int, NewSpan]:
    def evaluate(unit_ids: Sequence[int]) -> Spans:
        depending = work({each: spans[each] for each in unit_ids}, now)
        _check_constraints()
        return depending

    def record(unit_ids: Sequence[int], error: Exception) -> None:
        _record(part, {each: spans[each] for each in unit_ids}, error, now)

    return {
        unit_id: span for depending in divided(sorted(spans), evaluate, record) for unit_id, span in depending.items()
    }


def _check_constraints() -> None:
    """Check the deferred constraints now, inside the savepoint, instead of when everything is committed."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def _set_aside(part: Part, spans: Spans) -> None:
    parameters: dict[str, str | list[int] | list[datetime]] = {
        "part": part.value,
        "unit_ids": list(spans),
        "firsts": [span.first for span in spans.values()],
        "lasts": [span.last for span in spans.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(SET_ASIDE, parameters)


def _record(part: Part, spans: Spans, error: Exception, now: datetime) -> None:
    """Record that the evaluation of these units failed, and when it is to be retried."""
    text = error_text(error)
    reason = traceback.format_exception_only(error)[0].partition("\n")[0][:REASON_LENGTH]
    known = {
        failure.storage_unit_id: failure
        for failure in EvaluationFailure.objects.filter(part=part, storage_unit__in=list(spans))
    }
    for unit_id, span in spans.items():
        failure = known.get(unit_id) or EvaluationFailure(
            storage_unit_id=unit_id, part=part, first_at=span.first, last_at=span.last, failed_at=now
        )
        failure.first_at, failure.last_at = min(failure.first_at, span.first), max(failure.last_at, span.last)
        if failure.last_attempt_at != now:  # else it was counted when it began
            failure.attempts += 1
            failure.last_attempt_at = now
            failure.next_attempt_at = next_attempt_at(failure.attempts, now)
        failure.reason, failure.error = reason, text
        failure.save()
        logger.error(
            "unit not evaluated",
            part=part.value,
            storage_unit_id=unit_id,
            attempts=failure.attempts,
            next_attempt_at=failure.next_attempt_at.isoformat(),
            exc_info=error,
        )
