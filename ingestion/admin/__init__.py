"""The back office of what arrives: sources, deliveries, and what waits for a person."""

from ingestion.admin import conflicts, deliveries, rejected_rows, sources

__all__ = ["conflicts", "deliveries", "rejected_rows", "sources"]
