"""Units with the limits they are evaluated by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alarms.excursions.detected import DetectedExcursion, EffectiveLimits
from alarms.excursions.reconcile import LIVE_WITHIN, Replacement
from alarms.limits.versions import versions_by_unit
from alarms.models import Excursion
from alarms.thresholds import Side
from customers.models import Sensor, StorageUnit


@dataclass(frozen=True, slots=True)
class EvaluatedUnit:
    """A unit, its customer, all its limit versions in order of validity, and since when which sensors are retired."""

    unit_id: int
    customer_id: int
    versions: list[EffectiveLimits]
    retired: Mapping[int, datetime]

    @property
    def budget_sides(self) -> list[Side | None]:
        """The sides whose time outside any version limits; None stands for both together."""
        sides: tuple[Side | None, ...] = (None, *Side)
        return [side for side in sides if any(each.limits.budget(side) is not None for each in self.versions)]

    def replacement(
        self,
        kind: Excursion.Kind,
        found: Sequence[DetectedExcursion],
        stored: Sequence[Excursion],
        progress: dict[str, object] | None = None,
    ) -> Replacement:
        """Return the replacement of this unit's stored excursions by those found."""
        return Replacement(
            unit_id=self.unit_id,
            customer_id=self.customer_id,
            kind=kind,
            found=found,
            stored=stored,
            progress=progress,
            provisional_ids=frozenset(each.version_id for each in self.versions if each.is_provisional),
            live_within=max(LIVE_WITHIN, timedelta(seconds=self.versions[-1].limits.gap_limit_seconds)),
        )


def evaluated_units(unit_ids: Sequence[int]) -> list[EvaluatedUnit]:
    """Return these units by id. Three queries."""
    versions = effective_limits(unit_ids)
    customers = StorageUnit.objects.filter(pk__in=unit_ids).values_list("pk", "facility__customer_id")
    retired = retired_sensors(unit_ids)
    return [
        EvaluatedUnit(unit_id, customer_id, versions[unit_id], retired.get(unit_id, {}))
        for unit_id, customer_id in sorted(customers)
    ]


def retired_sensors(unit_ids: Sequence[int]) -> dict[int, dict[int, datetime]]:
    """Return since when which sensors of these units are retired. One query."""
    retired: dict[int, dict[int, datetime]] = {}
    sensors = Sensor.objects.filter(storage_unit__in=unit_ids, retired_at__isnull=False)
    for unit_id, sensor_id, retired_at in sensors.values_list("storage_unit_id", "pk", "retired_at"):
        retired.setdefault(unit_id, {})[sensor_id] = retired_at
    return retired


def effective_limits(unit_ids: Sequence[int]) -> dict[int, list[EffectiveLimits]]:
    """Return all limit versions of these units in order of validity. One query."""
    return {
        unit_id: [
            EffectiveLimits(version.valid_from, version.limits, version.pk, version.is_provisional)
            for version in versions
        ]
        for unit_id, versions in versions_by_unit(unit_ids).items()
    }
