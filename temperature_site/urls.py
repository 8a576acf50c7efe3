"""Every path of the site."""

from django.contrib import admin
from django.urls import include, path

from temperature_site import api
from temperature_site.health import ping
from temperature_site.metrics import metrics

urlpatterns = [
    path("ping", ping, name="ping"),
    path("health", api.HealthView.as_view(), name="health"),
    path("system-info", api.SystemInfoView.as_view(), name="system-info"),
    path("metrics", metrics, name="metrics"),
    path("openapi.json", api.openapi, name="openapi"),
    path("docs", api.swagger, name="swagger"),
    path("redoc", api.redoc, name="redoc"),
    path("redoc/redoc.js", api.redoc_script, name="redoc-script"),
    path("api/v1/", include("temperature_site.api_urls")),
    # Paths are tried in turn: first those of the pages that people look at all day.
    path("", include("readings.web.urls")),
    path("", include("alarms.web.urls")),
    path("", include("ingestion.web.urls")),
    path("", include("customers.web.settings_urls")),
    path("", include("alarms.web.notification_urls")),
    path("account/", include("customers.web.urls")),
    path("admin/", admin.site.urls),
]
