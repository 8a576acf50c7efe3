"""Management commands of ingestion."""
