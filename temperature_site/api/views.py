"""REST API views of the system itself, of paths that several apps share, and of the OpenAPI document."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from typing_extensions import override

from core.api.renderers import JSONRenderer
from customers.access.permissions import ADMIN, READ_AND_WRITE
from ingestion.api.views import PushView
from readings.api.readings import ReadingList
from temperature_site.api.serializers import HealthSerializer, SystemInfoSerializer
from temperature_site.health.system_info import system_info
from temperature_site.health.views import latest_report

CONTRACT = settings.BASE_DIR / "docs" / "openapi.json"
REDOC = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
REDOC_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"
DAY_SECONDS = 86_400


class HealthView(APIView):
    """Health of the system."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]

    @extend_schema(responses={200: HealthSerializer, 503: HealthSerializer})
    def get(self, request: Request) -> Response:
        """Return the health of every component; 503 if the database is unavailable. Requires no token."""
        report = latest_report.value()
        status = 200 if report.results.has_database else 503  # without it the process cannot serve anything
        return Response(HealthSerializer(report).data, status, headers={"Cache-Control": "no-store"})


class TemperatureView(ReadingList):
    """Readings: GET is implemented by `readings`, POST by `ingestion`."""

    needs = READ_AND_WRITE
    post = PushView.post

    @override
    def get_renderers(self) -> list[BaseRenderer]:
        if self.request.method == "POST":
            return [renderer() for renderer in PushView.renderer_classes]
        return super().get_renderers()


class SystemInfoView(APIView):
    """Machine and process."""

    needs = {"GET": ADMIN["GET"]}

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
def redoc_script(request: HttpRequest) -> HttpResponse:
    """Return ReDoc with the site's icon in place of a logo from another host."""
    return HttpResponse(_redoc_script(), content_type="text/javascript")


@cache
def _redoc_script() -> bytes:
    found = finders.find(REDOC)
    if not isinstance(found, str):
        raise Http404(REDOC)
    return Path(found).read_text().replace(REDOC_LOGO, static("site/icon.svg")).encode()
