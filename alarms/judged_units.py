"""A unit with the limits it is judged by, whose excursions are replaced by those found, its alarms following."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alarms.excursions import FoundExcursion, InForce
from alarms.lifecycle import follow
from alarms.limit_versions import versions_of
from alarms.models import Excursion
from alarms.stored_excursions import LIVE_WITHIN, is_live, replace
from customers.models import StorageUnit


@dataclass(frozen=True, slots=True)
class JudgedUnit:
    """A unit, its customer and all its versions of limits, by the instant from which they are valid."""

    unit_id: int
    customer_id: int
    versions: list[InForce]

    @property
    def live_within(self) -> timedelta:
        """For how long after its newest reading outside an excursion of this unit is news."""
        return max(LIVE_WITHIN, self.versions[-1].limits.gap_limit)

    def replace(
        self,
        kind: Excursion.Kind,
        found: Sequence[FoundExcursion],
        *,
        since: datetime,
        now: datetime,
        until: datetime | None = None,
        progress: dict[str, Any] | None = None,
    ) -> None:
        """See `stored_excursions.replace`; the alarms follow."""
        replaced = replace(
            self.unit_id,
            kind,
            found,
            since=since,
            until=until,
            progress=progress,
            now=now,
            live_within=self.live_within,
        )
        live = [each for each in replaced.present if is_live(each, now, self.live_within)]
        follow(replaced, self.customer_id, now, live)


def judged_units(unit_ids: list[int]) -> list[JudgedUnit]:
    """These units, by id. Two queries."""
    if not unit_ids:
        return []
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
