"""The app configuration of alarms."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from typing_extensions import override


class AlarmsConfig(AppConfig):
    """Connect the receivers that update limits, ship the profiles, and register the alarm badges."""

    name = "alarms"
    verbose_name = "Alarms"

    @override
    def ready(self) -> None:
        from alarms.limits import (
            profiles,
            signals,  # noqa: F401  connects its receiver on import
        )
        from alarms.selectors import parts_not_evaluated, unit_badges
        from alarms.silences import silenced_units
        from readings.units.unit_condition import register_badges, register_unevaluated

        post_migrate.connect(profiles.ensure_shipped, sender=self)
        register_badges(unit_badges)
        register_badges(silenced_units)
        register_unevaluated(parts_not_evaluated())
