"""The paths of the REST API through which readings arrive, below /api/v1/."""

from django.urls import path

from ingestion import api, logs_api

urlpatterns = [
    path("admin/ingestion/logs", logs_api.IngestionLogs.as_view(), name="api-ingestion-logs"),
    path("temperature", api.ReadingsAndPushView.as_view(), name="api-readings"),
    path("temperature/bulk", api.BulkPushView.as_view(), name="api-bulk-push"),
]
