"""Let future readings take effect when their time has come; see `readings.storage.future_readings`.

Their delivery was logged and counted when they arrived. What remains of loading is to store and evaluate them.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from alarms.evaluation.evaluate import evaluate
from readings.storage.future_readings import store_due, units_with_due

logger = structlog.get_logger(__name__)


def load_due_readings(now: datetime | None = None) -> int:
    """Store and evaluate the future readings whose time has come; return the number of units it has come for.

    One transaction per unit. A failure leaves the unit's readings to the next run and does not keep other units
    waiting. Runs at the same time wait for each other's units and find nothing left.
    """
    now = now or timezone.now()
    unit_ids = units_with_due(now)
    for unit_id in unit_ids:
        try:
            _load_due(unit_id, now)
        except Exception:
            # They are still there, so that the next run tries again.
            logger.exception("future readings not stored", storage_unit_id=unit_id)
    return len(unit_ids)


@transaction.atomic
def _load_due(unit_id: int, now: datetime) -> None:
    new_spans = store_due(unit_id, now)
    evaluate(new_spans, now=now)
    for span in new_spans.values():
        logger.info("future readings stored", storage_unit_id=unit_id, first=span.first, last=span.last)
