"""The app configuration of seals."""

from django.apps import AppConfig
from typing_extensions import override


class SealsConfig(AppConfig):
    """Tamper evidence of the audit trail and the readings."""

    name = "seals"
    verbose_name = "Seals"

    @override
    def ready(self) -> None:
        """Let no month be archived whose days are not sealed."""
        from readings.storage.archive.due import object_with
        from seals.sealing import objection_to_archiving

        object_with(objection_to_archiving)
