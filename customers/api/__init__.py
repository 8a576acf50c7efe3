"""REST API of facilities and API tokens."""
