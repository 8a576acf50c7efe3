"""The audit application."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
from typing_extensions import override


class AuditConfig(AppConfig):
    """Installs the triggers after each migration, and sends the context of changes on every connection."""

    name = "audit"
    verbose_name = "Audit trail"

    @override
    def ready(self) -> None:
        from audit.triggers import install_triggers
        from audit.writes import watch_connection

        post_migrate.connect(install_triggers, sender=self)
        connection_created.connect(watch_connection)
