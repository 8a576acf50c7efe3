"""The app configuration of seals."""

from django.apps import AppConfig


class SealsConfig(AppConfig):
    """Tamper evidence of the audit trail and the readings."""

    name = "seals"
    verbose_name = "Seals"
