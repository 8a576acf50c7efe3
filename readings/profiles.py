"""Customers with what they have: how many facilities, units and readings, and when anything was last measured."""

from __future__ import annotations

from typing import Any

from django.db.models import Aggregate, Count, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from customers.models import Customer, Facility, StorageUnit
from customers.scope import Scope, ScopedModel
from readings.models import DailyRollup, LatestReading


def profiles(scope: Scope) -> QuerySet[Any]:
    """The customers within `scope`, each with its counts of what `scope` may see; readings by the roll-ups."""
    return Customer.objects.within(scope).annotate(
        facility_count=_total(Facility, "customer", Count("pk"), scope, 0),
        unit_count=_total(StorageUnit, "facility__customer", Count("pk"), scope, 0),
        active_readings_count=_total(DailyRollup, "storage_unit__facility__customer", Sum("reading_count"), scope, 0),
        last_reading_time=_total(LatestReading, "storage_unit__facility__customer", Max("recorded_at"), scope),
    )


def _total(model: type[ScopedModel], way: str, total: Aggregate, scope: Scope, default: Any = None) -> Any:
    """What the rows of `model` that lead by `way` to a customer add up to, as a subquery of the customer's row."""
    unit_way = model.SCOPE.unit if scope.unit_ids is not None else None
    # Not `within`: whose rows they are is said by the customer they are summed up for; left are the units.
    rows = model.objects.filter(**({f"{unit_way}__in": scope.unit_ids} if unit_way else {}))
    summed = rows.filter(**{way: OuterRef("pk")}).order_by().values(way).annotate(total=total).values("total")
    return Subquery(summed) if default is None else Coalesce(Subquery(summed), default)
