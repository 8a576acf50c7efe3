"""The names of equipment statuses and their ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from readings.models import EquipmentStatus

# Statuses are words of an equipment's firmware; a system that sends ever new ones sends something else.
MOST_STATUSES = 1_000
FIRST_STATUSES = {
    "normal": EquipmentStatus.NORMAL,
    "warning": EquipmentStatus.WARNING,
    "error": EquipmentStatus.ERROR,
}


def ensure_first_statuses(**_: Any) -> None:
    """Add the statuses that the roll-ups count, under the ids they are counted by; called after each migration."""
    EquipmentStatus.objects.bulk_create(
        [EquipmentStatus(id=status_id, name=name) for name, status_id in FIRST_STATUSES.items()], ignore_conflicts=True
    )


def status_ids(names: Iterable[str]) -> dict[str, int]:
    """The ids of these statuses, new ones added. Beyond MOST_STATUSES new ones are left out of the answer."""
    wanted = set(names)
    known = _known(wanted)
    missing = sorted(wanted - known.keys())
    if missing:
        room = max(MOST_STATUSES - EquipmentStatus.objects.count(), 0)
        EquipmentStatus.objects.bulk_create(
            [EquipmentStatus(name=name) for name in missing[:room]], ignore_conflicts=True
        )
        known = _known(wanted)
    return known


def _known(names: set[str]) -> dict[str, int]:
    return dict(EquipmentStatus.objects.filter(name__in=names).values_list("name", "id"))
