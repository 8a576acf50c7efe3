"""REST API of the system itself, all API paths, and the OpenAPI document."""
