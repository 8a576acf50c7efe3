"""The metrics of ongoing excursions until now.

What is stored of an excursion reaches to the unit's newest reading. After that the last readings remain valid until
they are stale; from then on the temperature is unknown. Both count for an excursion that has not ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from alarms.excursions.detector import Detector
from alarms.excursions.units import effective_limits
from alarms.models import Excursion

METRICS = ("area_kelvin_minutes", "outside_seconds", "gap_seconds", "mkt_c")


def count_until(now: datetime, excursions: Iterable[Excursion]) -> None:
    """Set the metrics of the ongoing temperature excursions among these to those at `now`, without saving them.

    One query if there are any, otherwise none. An excursion before its newest reading is left as it is stored.
    """
    states = [(each, each.progress) for each in excursions if each.ended_at is None and each.progress is not None]
    if not states:
        return
    versions = effective_limits([excursion.storage_unit_id for excursion, _ in states])
    for excursion, progress in states:
        detector = Detector.load_state(progress, versions[excursion.storage_unit_id])
        current = detector.current_until(now)
        for name in METRICS if current is not None else ():
            setattr(excursion, name, getattr(current, name))


def ongoing_until(now: datetime, public_ids: Collection[str]) -> dict[str, Excursion]:
    """Return the ongoing ones of the excursions with these public ids, with their metrics at `now`.

    Two queries if there are any ids, otherwise none.
    """
    if not public_ids:
        return {}
    excursions = list(Excursion.objects.filter(public_id__in=public_ids, ended_at=None))
    count_until(now, excursions)
    return {str(excursion.public_id): excursion for excursion in excursions}
