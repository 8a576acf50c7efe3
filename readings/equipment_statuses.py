"""The statuses that equipment reports, by their ids: those that roll-ups count, and others as they are sent."""

from __future__ import annotations

from collections.abc import Iterable

from core.db.prepared import Prepared
from readings.models import EquipmentStatus

# Statuses come from equipment firmware; a source that keeps sending new ones does not send statuses.
MAX_STATUSES = 1_000
COUNTED_STATUS_IDS = {
    "normal": EquipmentStatus.NORMAL,
    "warning": EquipmentStatus.WARNING,
    "error": EquipmentStatus.ERROR,
}

# Asked of every delivery, so it is not compiled each time.
_KNOWN = Prepared("SELECT name, id FROM equipment_status WHERE name = ANY(%s)")


def ensure_counted_statuses(**_: object) -> None:
    """Add the statuses that the roll-ups count, under their fixed ids; called after each migration."""
    EquipmentStatus.objects.bulk_create(
        [EquipmentStatus(id=status_id, name=name) for name, status_id in COUNTED_STATUS_IDS.items()],
        ignore_conflicts=True,
    )


def status_ids(names: Iterable[str]) -> dict[str, int]:
    """Return the ids of these statuses, adding new ones. Beyond MAX_STATUSES, new ones are left out."""
    known = _known(wanted := set(names))
    missing = sorted(wanted - known.keys())
    if missing:
        room = max(MAX_STATUSES - EquipmentStatus.objects.count(), 0)
        EquipmentStatus.objects.bulk_create(
            [EquipmentStatus(name=name) for name in missing[:room]], ignore_conflicts=True
        )
        known = _known(wanted)
    return known


def _known(names: set[str]) -> dict[str, int]:
    return dict(_KNOWN.rows([sorted(names)]))
