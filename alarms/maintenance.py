"""Maintenance windows: periods without notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from alarms.models import MaintenanceWindow
from customers.models import Customer


def windows_of(customer: Customer) -> QuerySet[Any]:
    """Return the customer's windows, newest first."""
    windows = MaintenanceWindow.objects.filter(customer=customer)
    return windows.select_related("facility", "storage_unit__facility", "created_by").order_by("-starts_at", "-pk")


def end_now(window: MaintenanceWindow, now: datetime) -> bool:
    """End a window that is under way, or take back one that has not begun; False for one that is over.

    One conditional statement each: a window that is over by then is left as it was.
    """
    windows = MaintenanceWindow.objects.filter(pk=window.pk)
    if windows.filter(starts_at__lt=now, ends_at__gt=now).update(ends_at=now):
        return True
    deleted, _ = windows.filter(starts_at__gte=now).delete()
    return bool(deleted)
