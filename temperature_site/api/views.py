"""The REST framework's views of the system itself: its health, the machine, and the document of the API."""

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
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.renderers import JSONRenderer
from customers.access.permissions import ADMIN
from temperature_site.api.serializers import HealthSerializer, SystemInfoSerializer
from temperature_site.health.system_info import system_info
from temperature_site.health.views import health_response

CONTRACT = settings.BASE_DIR / "docs" / "openapi.json"
REDOC = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
REDOC_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"
DAY_SECONDS = 86_400


class HealthView(APIView):
    """How every part of the system is; 503 when the database is out. Asks for no token."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]

    @extend_schema(responses={200: HealthSerializer, 503: HealthSerializer})
    def get(self, request: Request) -> Response:
        answer, is_out = health_response()
        return Response(answer, status=503 if is_out else 200, headers={"Cache-Control": "no-store"})


class SystemInfoView(APIView):
    """The machine and the process that answers: for the operator."""

    needs = {"GET": ADMIN["GET"]}

    @extend_schema(responses=SystemInfoSerializer)
    def get(self, request: Request) -> Response:
        return Response(system_info())


@cache
def _contract() -> bytes:
    return CONTRACT.read_bytes()


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document: the contract that is checked in, which a test holds to what the views do."""
    return HttpResponse(_contract(), content_type="application/json")


@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    """The document to read and to try out."""
    return render(request, "api/swagger.html")


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    """The document to read."""
    return render(request, "api/redoc.html")


@require_safe
@cache_control(public=True, max_age=DAY_SECONDS)
def redoc_script(request: HttpRequest) -> HttpResponse:
    """ReDoc, which asks another host for its logo, with the site's own sign in its place."""
    return HttpResponse(_redoc_script(), content_type="text/javascript")


@cache
def _redoc_script() -> bytes:
    found = finders.find(REDOC)
    if not isinstance(found, str):
        raise Http404(REDOC)
    return Path(found).read_text().replace(REDOC_LOGO, static("site/icon.svg")).encode()
