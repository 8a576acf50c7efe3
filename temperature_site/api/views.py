"""REST API views of the system itself, of paths that several apps share, and of the OpenAPI document."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from typing_extensions import override

from core.api.renderers import JSONRenderer
from customers.access import actions
from customers.access.authentication import is_operator
from customers.access.principal import principal_of
from ingestion.api.views import PushView
from readings.api.readings import ReadingList
from temperature_site.api.serializers import HealthSerializer, SystemInfoSerializer
from temperature_site.health.system_info import system_info
from temperature_site.health.views import configuration_warnings, latest_report
from temperature_site.redoc import redoc_script

CONTRACT = settings.BASE_DIR / "docs" / "openapi.json"
DAY_SECONDS = 86_400
# What the root of the API links: its paths without ids, and the names of their URLs.
ROOT_PATHS = {
    "temperature": "api-readings",
    "temperature/latest": "api-latest",
    "temperature/stats": "api-statistics",
    "facilities": "api-facilities",
    "customers/profile": "api-profile",
    "customers/tokens": "api-tokens",
    "sources": "api-sources",
    "alarms": "api-alarms",
    "excursions": "api-excursions",
    "limit-profiles": "api-limit-profiles",
    "analytics/temperature/summary": "api-summary",
    "analytics/temperature/trends": "api-trends",
    "analytics/alarms/history": "api-alarm-history",
    "analytics/performance": "api-performance",
    "admin/customers": "api-admin-customers",
    "admin/facilities": "api-admin-facilities",
    "admin/temperature": "api-admin-readings",
    "admin/config": "api-configuration",
    "admin/ingestion/logs": "api-ingestion-logs",
    "admin/analytics/temperature/summary": "api-admin-summary",
}


class HealthView(APIView):
    """Health of the system."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]

    @extend_schema(responses={200: HealthSerializer, 503: HealthSerializer})
    def get(self, request: Request) -> Response:
        """Return the health of every component; 503 if the database is unavailable. Requires no token.

        The operator also gets `warnings` about the configuration.
        """
        report = latest_report.value()
        status = 200 if report.results.has_database else 503  # without it the process cannot serve anything
        data = dict(HealthSerializer(report).data)
        if report.results.has_database and is_operator(request):
            data["warnings"] = configuration_warnings(timezone.now())
        return Response(data, status, headers={"Cache-Control": "no-store"})


# GET is implemented by `readings`, POST by `ingestion`.
class TemperatureView(ReadingList):
    """Readings of the caller's storage units."""

    needs = {"GET": actions.VIEW_READINGS, "POST": actions.PUSH_READINGS}
    post = PushView.post

    @override
    def get_renderers(self) -> list[BaseRenderer]:
        if self.request.method == "POST":
            return [renderer() for renderer in PushView.renderer_classes]
        return super().get_renderers()


class ApiRoot(APIView):
    """The REST API: where its resources are."""

    needs = {"GET": actions.VIEW_READINGS}

    @extend_schema(responses={200: {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}})
    def get(self, request: Request) -> Response:
        """Return the addresses of the resources; those below `admin` only to callers with that permission."""
        is_admin = not principal_of(request).scope_of(actions.LIST_CUSTOMERS).is_empty
        names = {path: name for path, name in ROOT_PATHS.items() if is_admin or not path.startswith("admin/")}
        return Response({path: reverse(name, request=request) for path, name in names.items()})


class SystemInfoView(APIView):
    """Machine and process."""

    needs = {"GET": actions.VIEW_SYSTEM}

    @extend_schema(responses=SystemInfoSerializer)
    def get(self, request: Request) -> Response:
        """Return information about the machine and the process that responds."""
        return Response(SystemInfoSerializer(system_info()).data)


@cache
def _contract() -> bytes:
    return CONTRACT.read_bytes()


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI document that is checked in; a test keeps it in line with the views."""
    return HttpResponse(_contract(), content_type="application/json")


@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    """Return the documentation as Swagger UI."""
    return render(request, "api/swagger.html")


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    """Return the documentation as ReDoc."""
    return render(request, "api/redoc.html")


@require_safe
@cache_control(public=True, max_age=DAY_SECONDS)
def redoc_bundle(request: HttpRequest) -> HttpResponse:
    """Return ReDoc with the site's icon in place of a logo from another host."""
    return HttpResponse(_redoc_script(), content_type="text/javascript")


@cache
def _redoc_script() -> bytes:
    try:
        return redoc_script(static("site/icon.svg")).encode()
    except FileNotFoundError as error:
        raise Http404(str(error)) from error
