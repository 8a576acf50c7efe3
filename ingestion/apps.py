"""The Django app of ingestion."""

from django.apps import AppConfig


class IngestionConfig(AppConfig):
    """The configuration of the app."""

    name = "ingestion"
    verbose_name = "Ingestion"
