"""The app configuration of readings."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from typing_extensions import override


class ReadingsConfig(AppConfig):
    """Connect the receivers that keep roll-ups and equipment statuses complete."""

    name = "readings"
    verbose_name = "Readings"

    @override
    def ready(self) -> None:
        """Connect receivers for changes of units, and for new databases, which need the counted statuses."""
        from readings.models import ensure_counted_statuses
        from readings.storage import rebuilds  # noqa: F401  the receivers of `rebuilds` connect themselves

        post_migrate.connect(ensure_counted_statuses, sender=self)
