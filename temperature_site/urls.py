"""Every path of the site."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from temperature_site.api import views
from temperature_site.health.views import live, ping, ready
from temperature_site.metrics import metrics

urlpatterns = [
    # Paths are tried in turn: the most requested come first, and so do the most visited pages below.
    path("ping", ping, name="ping"),
    path("api/v1/", include("temperature_site.api.urls")),
    path("live", live, name="live"),
    path("ready", ready, name="ready"),
    path("health", views.HealthView.as_view(), name="health"),
    path("system-info", views.SystemInfoView.as_view(), name="system-info"),
    path("metrics", metrics, name="metrics"),
    path("openapi.json", views.openapi, name="openapi"),
    path("docs", views.swagger, name="swagger"),
    path("redoc", views.redoc, name="redoc"),
    path("redoc/redoc.js", views.redoc_bundle, name="redoc-script"),
    path("", include("readings.web.urls")),
    path("", include("alarms.web.urls")),
    path("", include("ingestion.web.urls")),
    path("", include("customers.web.settings_urls")),
    path("", include("seals.web.urls")),
    path("account/", include("customers.web.urls")),
    path("account/", include("customers.web.allauth_urls")),
    path("admin/", admin.site.urls),
]

if settings.HAS_DEBUG_TOOLBAR:
    from debug_toolbar.toolbar import debug_toolbar_urls

    urlpatterns += debug_toolbar_urls()
