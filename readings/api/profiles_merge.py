"""Customers with what they have: how many facilities, units and readings, and when anything was last measured."""

from __future__ import annotations

from typing import Any

from django.db.models import Aggregate, Count, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from core.scope import Scope
from customers.models import Customer, Facility, StorageUnit
from readings.models import DailyRollup, LatestReading


def profiles(scope: Scope) -> QuerySet[Any]:
    """The customers within `scope`, each with its counts of what `scope` may see; readings by the roll-ups.

    Units that are there for alarm drills only do not count.
    """
    units = StorageUnit.objects.filter(is_synthetic=False)
    return Customer.objects.within(scope).annotate(
        facility_count=_total(Facility.objects.all(), "customer", Count("pk"), scope, 0),
        unit_count=_total(units, "facility__customer", Count("pk"), scope, 0),
        active_readings_count=_total(
            _of_goods(DailyRollup), "storage_unit__facility__customer", Sum("reading_count"), scope, 0
        ),
        last_reading_time=_total(
            _of_goods(LatestReading), "storage_unit__facility__customer", Max("recorded_at"), scope
        ),
    )


def _of_goods(model: type[DailyRollup] | type[LatestReading]) -> QuerySet[Any]:
    return model.objects.filter(storage_unit__is_synthetic=False)


def _total(rows: QuerySet[Any], way: str, total: Aggregate, scope: Scope, default: Any = None) -> Any:
    """What those of `rows` that lead by `way` to a customer add up to, as a subquery of the customer's row."""
    unit_way = rows.model.SCOPE.unit if scope.unit_ids is not None else None
    # Not `within`: whose rows they are is said by the customer they are summed up for; left are the units.
    rows = rows.filter(**({f"{unit_way}__in": scope.unit_ids} if unit_way else {}))
    summed = rows.filter(**{way: OuterRef("pk")}).order_by().values(way).annotate(total=total).values("total")
    return Subquery(summed) if default is None else Coalesce(Subquery(summed), default)
