from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ReadingsConfig(AppConfig):
    name = "readings"
    verbose_name = "Readings"

    def ready(self) -> None:
        """Listen for what makes roll-ups untrue, and give every new database its first statuses."""
        from readings.models import ensure_first_statuses
        from readings.storage import rebuilds  # noqa: F401  the receivers of `rebuilds` connect themselves

        post_migrate.connect(ensure_first_statuses, sender=self)
