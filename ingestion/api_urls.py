"""The paths of the REST API through which readings arrive, below /api/v1/."""

from django.urls import path

from readings.api import ReadingsView

urlpatterns = [
    path("temperature", ReadingsView.as_view(), name="api-readings"),
]
