"""Every path of the REST API: each app tells its own."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import include, path, register_converter
from django.urls.converters import StringConverter
from django.views.decorators.csrf import csrf_exempt


class AnythingConverter(StringConverter):
    """Any text; Django's own `path` stops at a line's end, and a client may send one."""

    regex = "(?s:.+)"


register_converter(AnythingConverter, "anything")


@csrf_exempt  # or a client's mistyped path would be answered with a page about forged requests
def not_found(request: HttpRequest, rest: str = "") -> JsonResponse:
    """The answer to a path that there is not, in the form of the API's other errors."""
    return JsonResponse({"detail": "There is no such path."}, status=404)


urlpatterns = [
    path("", include("customers.api.urls")),
    path("", include("readings.api.urls")),
    path("", include("alarms.api.urls")),
    path("", include("ingestion.api.urls")),
    path("<anything:rest>", not_found),
]
