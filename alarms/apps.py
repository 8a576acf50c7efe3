from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AlarmsConfig(AppConfig):
    name = "alarms"
    verbose_name = "Alarms"

    def ready(self) -> None:
        """Listen for what changes limits, and give every new database the shipped profiles."""
        from alarms import limit_changes, limit_profiles  # noqa: F401  the receivers connect themselves

        post_migrate.connect(limit_profiles.ensure_shipped, sender=self)
