"""What a source is doing, told by the database so that lists can show it and filter by it alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Case, DurationField, ExpressionWrapper, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from ingestion.models import Source

GRACE = timedelta(seconds=60)
LATE_INTERVALS = 3


class SourceState(models.TextChoices):
    """The first that holds is the state of a source."""

    PAUSED = "paused", "paused"
    RESTING = "resting", "resting"  # its customer is inactive
    RECEIVING = "receiving", "receiving"  # it has no URL: it waits for pushes and imports
    FAILING = "failing", "failing"
    LATE = "late", "late"
    POLLING = "polling", "polling"  # a poll is under way
    ON_TIME = "on time", "on time"


def with_state(sources: QuerySet[Source], now: datetime) -> QuerySet[Any]:
    """These sources, each with its SourceState at `now` as `state`. Late is what `Source.is_late_at` says."""
    late_after = ExpressionWrapper(
        F("interval_seconds") * Value(timedelta(seconds=LATE_INTERVALS)) + Value(GRACE), output_field=DurationField()
    )
    late_from = Coalesce(F("last_success_at"), F("created_at")) + late_after
    conditions = [
        (Q(is_paused=True), SourceState.PAUSED),
        (Q(customer__is_active=False), SourceState.RESTING),
        (Q(url=""), SourceState.RECEIVING),
        (Q(failures_in_a_row__gt=0), SourceState.FAILING),
        (Q(late_from__lt=now), SourceState.LATE),
        (Q(lease_until__gt=now), SourceState.POLLING),
    ]
    state = Case(
        *(When(condition, then=Value(found.value)) for condition, found in conditions),
        default=Value(SourceState.ON_TIME.value),
    )
    return sources.annotate(late_from=late_from).annotate(state=state)
