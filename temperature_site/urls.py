"""Every path of the site."""

from django.contrib import admin
from django.urls import include, path

from temperature_site.health import health, ping
from temperature_site.metrics import metrics

urlpatterns = [
    path("ping", ping, name="ping"),
    path("health", health, name="health"),
    path("metrics", metrics, name="metrics"),
    path("api/v1/", include("temperature_site.api_urls")),
    path("account/", include("customers.urls")),
    path("admin/", admin.site.urls),
    path("feeds", include("ingestion.urls")),
    path("settings", include("customers.settings_urls")),
    path("", include("readings.urls")),
]
