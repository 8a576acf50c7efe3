"""Judging new readings, in the transaction that stored them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from readings.store import Span


def evaluate(new_spans: Mapping[int, Span], *, now: datetime | None = None) -> None:
    """Bring excursions and alarms in line with the readings in `new_spans`. Nothing is judged yet."""
