"""REST API for pushing readings, and of the ingestion log."""
