"""Admin of alarms: settings are editable, what the system records is read-only."""

from alarms.admin import alarms, evaluation, excursions, limits, maintenance, notifications, sensors

__all__ = ["alarms", "evaluation", "excursions", "limits", "maintenance", "notifications", "sensors"]
