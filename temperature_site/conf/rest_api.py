"""Settings of Django REST framework and drf-spectacular, which no deployment changes."""

from __future__ import annotations

DRF_SETTINGS = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "customers.access.authentication.TokenAuthentication",
        "customers.access.authentication.SessionAuthentication",
    ],
    # Every view names the permission it needs; unknown query parameters are refused rather than ignored.
    "DEFAULT_PERMISSION_CLASSES": [
        "customers.access.permissions.HasNeededPermission",
        "core.api.query_params.TakesQueryParams",
    ],
    "DEFAULT_RENDERER_CLASSES": [
        "core.api.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    # Refuses NaN, infinities and lone surrogates, none of which can be stored.
    "DEFAULT_PARSER_CLASSES": ["core.api.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "core.api.negotiation.ContentNegotiation",
    "DEFAULT_PAGINATION_CLASS": "core.api.pagination.Pagination",
    "EXCEPTION_HANDLER": "core.api.errors.handle_exception",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "DEFAULT_METADATA_CLASS": "core.api.negotiation.Metadata",
    "DEFAULT_SCHEMA_CLASS": "temperature_site.api.openapi.Schema",
}


def spectacular_settings(version: str) -> dict[str, object]:
    """Return the settings of the OpenAPI document of this version of the system."""
    return {
        "TITLE": "Temperature Monitoring System",
        "DESCRIPTION": (
            "Temperatures of cold stores: readings, statistics, facilities, storage units, and their customers."
        ),
        "VERSION": version,
        "SCHEMA_PATH_PREFIX": "/api/v1",
        # What a request contains differs from its response: read-only fields, secrets.
        "COMPONENT_SPLIT_REQUEST": True,
        "POSTPROCESSING_HOOKS": ["temperature_site.api.openapi.complete"],
    }
