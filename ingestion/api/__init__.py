"""REST API of sources, of customers, for pushing readings, and of the ingestion log."""
