"""The paths of the REST API through which readings arrive, below /api/v1/."""

from django.urls import path

from ingestion.api import views

urlpatterns = [
    path("admin/ingestion/logs", views.IngestionLogs.as_view(), name="api-ingestion-logs"),
    path("temperature", views.ReadingsAndPushView.as_view(), name="api-readings"),
    path("temperature/bulk", views.BulkPushView.as_view(), name="api-bulk-push"),
]
