"""Which units are silenced by a maintenance window, until when and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from alarms.models import MaintenanceWindow
from core.db.compiled_queries import CompiledQuery
from core.scope import Scope
from customers.models import StorageUnit

# Within this time the time of day is unambiguous.
SAME_DAY = timedelta(hours=24)


class Silence(NamedTuple):
    """A unit's notifications are silenced until `ends_at`, by the person who scheduled it, "" if unknown."""

    ends_at: datetime
    by: str

    def text(self, now: datetime, zone: ZoneInfo) -> str:
        """Return the badge: "Silenced until 01:15 by anna", in local time, with the date if it is not today's."""
        local = self.ends_at.astimezone(zone)
        until = f"{local:%H:%M}" if self.ends_at - now < SAME_DAY else f"{local:%-d %b %Y, %H:%M}"
        return f"Silenced until {until}" + (f" by {self.by}" if self.by else "")


def windows_in_effect(scope: Scope, now: datetime) -> list[MaintenanceWindow]:
    """Return the maintenance windows in effect at `now` of the customers within `scope`. One query."""
    windows = MaintenanceWindow.objects.filter(starts_at__lte=now, ends_at__gt=now).select_related("created_by")
    if scope.customer_ids is not None:
        windows = windows.filter(customer__in=scope.customer_ids)
    return list(windows)


def silence_of(windows: Sequence[MaintenanceWindow], unit: StorageUnit) -> Silence | None:
    """Return the silence of a unit by these windows, the one that ends last; None if no window covers the unit."""
    own = (window for window in windows if window.customer_id == unit.facility.customer_id)
    covering = [window for window in own if window.covers(unit)]
    if not covering:
        return None
    last = max(covering, key=lambda window: window.ends_at)
    return Silence(last.ends_at, last.created_by.get_username() if last.created_by else "")


def silence_text(scope: Scope, unit: StorageUnit, now: datetime) -> str:
    """Return until when and by whom the unit is silenced, "" if it is not. One query."""
    silence = silence_of(windows_in_effect(scope, now), unit)
    return silence.text(now, unit.facility.zone) if silence else ""


# Compiled once: every refresh of the overview asks, and mostly there is none. Windows have no units in their scope.
_ANY_IN_EFFECT = CompiledQuery(
    lambda scope: (
        MaintenanceWindow.objects.visible_to(Scope(scope.customer_ids))
        .filter(starts_at__lte=Now(), ends_at__gt=Now())
        .order_by()
        .values_list("pk")
    ),
    is_look_up=True,
)


def silenced_units(scope: Scope) -> dict[int, str]:
    """Return the badge of each silenced unit within `scope`, by id. One query if no window is in effect."""
    if not _ANY_IN_EFFECT.visible_to(scope)[0:1]:
        return {}
    now = timezone.now()
    windows = windows_in_effect(scope, now)
    wanted = Q(pk__in=[window.storage_unit_id for window in windows if window.storage_unit_id])
    wanted |= Q(facility__in=[window.facility_id for window in windows if window.facility_id])
    wanted |= Q(facility__customer__in=[window.customer_id for window in windows if window.is_for_customer])
    units = StorageUnit.objects.visible_to(scope).filter(wanted).select_related("facility")
    silences = ((unit, silence_of(windows, unit)) for unit in units)
    return {unit.pk: silence.text(now, unit.facility.zone) for unit, silence in silences if silence}
