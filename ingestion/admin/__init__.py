"""The admin of sources, deliveries, rejected rows and conflicts."""

from ingestion.admin import conflicts, deliveries, rejected_rows, schedules, sources

__all__ = ["conflicts", "deliveries", "rejected_rows", "schedules", "sources"]
