"""The back office of alarms: what can be set, and what the system wrote, which is only looked at."""

from alarms.admin import alarms, excursions, limits, maintenance, notifications

__all__ = ["alarms", "excursions", "limits", "maintenance", "notifications"]
