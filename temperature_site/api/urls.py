"""All paths of the REST API."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path, register_converter
from django.urls.converters import StringConverter
from django.views.decorators.csrf import csrf_exempt

from alarms.api import urls as alarms
from customers.api import urls as customers
from ingestion.api import urls as ingestion
from readings.api import urls as readings
from temperature_site.api.views import ApiRoot, TemperatureView


class AnythingConverter(StringConverter):
    """Any text, including line breaks, which Django's `path` does not match."""

    regex = "(?s:.+)"


register_converter(AnythingConverter, "anything")


@csrf_exempt  # a mistyped path should be a 404, not an error page about CSRF
def not_found(request: HttpRequest, rest: str = "") -> JsonResponse:
    """Return 404 with the same structure as other errors of the API."""
    return JsonResponse({"detail": "Not found."}, status=404)


urlpatterns = [
    path("", ApiRoot.as_view(), name="api-root"),
    path("temperature", TemperatureView.as_view(), name="api-readings"),
    # Listed instead of included: each level of includes costs a request as much as twenty paths.
    *customers.urlpatterns,
    *readings.urlpatterns,
    *alarms.urlpatterns,
    *ingestion.urlpatterns,
    path("<anything:rest>", not_found),
]
