"""The admin of beat's own entries, whose actions django-celery-beat offers to everybody who may view them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from celery.schedules import ParseException
from django.contrib import admin
from django.http import HttpRequest
from django_celery_beat.admin import CrontabScheduleAdmin, PeriodicTaskAdmin
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from typing_extensions import override

AdminActions: TypeAlias = dict[str, tuple[Callable[..., object], str, str]]

admin.site.unregister([PeriodicTask, CrontabSchedule])


@admin.register(PeriodicTask)
class EntryAdmin(PeriodicTaskAdmin):  # type: ignore[misc]  # the library has no types
    """Require the permission to change entries for enabling, disabling and running them."""

    @override
    def get_actions(self, request: HttpRequest) -> AdminActions:
        actions: AdminActions = super().get_actions(request)
        return actions if self.has_change_permission(request) else {}


@admin.register(CrontabSchedule)
class CrontabAdmin(CrontabScheduleAdmin):  # type: ignore[misc]  # the library has no types
    """Show a form with times that are none again, with what is wrong."""

    @admin.display(description="human readable")
    def human_readable(self, schedule: CrontabSchedule) -> str:
        """Return the times in words, "–" if they are none."""
        try:
            return str(schedule.human_readable)
        except (ParseException, ValueError):
            return "–"
