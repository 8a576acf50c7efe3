"""The app configuration of readings."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from typing_extensions import override


class ReadingsConfig(AppConfig):
    """Connect the receivers that request rebuilds of roll-ups and create the counted equipment statuses."""

    name = "readings"
    verbose_name = "Readings"

    @override
    def ready(self) -> None:
        """Connect the receivers for changes of units and for new databases."""
        from readings.equipment_statuses import ensure_counted_statuses
        from readings.storage import rebuilds  # noqa: F401  connects its receiver on import

        post_migrate.connect(ensure_counted_statuses, sender=self)
