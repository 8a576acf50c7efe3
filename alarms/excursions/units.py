"""Units with the limits they are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alarms.excursions.detector import FoundExcursion, InForce
from alarms.excursions.reconcile import LIVE_WITHIN, Replacement
from alarms.limits.versions import versions_of
from alarms.models import Excursion
from customers.models import StorageUnit


@dataclass(frozen=True, slots=True)
class JudgedUnit:
    """A unit, its customer and all its versions of limits, by the instant from which they are valid."""

    unit_id: int
    customer_id: int
    versions: list[InForce]

    @property
    def has_budget(self) -> bool:
        """Is, or was, the time that it may be outside limited?"""
        return any(version.limits.allowed_seconds is not None for version in self.versions)

    def replacement(
        self,
        kind: Excursion.Kind,
        found: Sequence[FoundExcursion],
        stored: Sequence[Excursion],
        progress: dict[str, Any] | None = None,
    ) -> Replacement:
        """What was found of this unit, for what is stored."""
        return Replacement(
            unit_id=self.unit_id,
            customer_id=self.customer_id,
            kind=kind,
            found=found,
            stored=stored,
            progress=progress,
            live_within=max(LIVE_WITHIN, timedelta(seconds=self.versions[-1].limits.gap_limit_seconds)),
        )


def judged_units(unit_ids: Sequence[int]) -> list[JudgedUnit]:
    """These units, by id. Two queries."""
    versions = versions_of(unit_ids)
    customers = StorageUnit.objects.filter(pk__in=unit_ids).values_list("pk", "facility__customer_id")
    return [
        JudgedUnit(
            unit_id,
            customer_id,
            [InForce(version.valid_from, version.limits, version.pk) for version in versions[unit_id]],
        )
        for unit_id, customer_id in sorted(customers)
    ]
