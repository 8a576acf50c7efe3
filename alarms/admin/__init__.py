"""The back office of alarms."""

from alarms.admin import notifications

__all__ = ["notifications"]
