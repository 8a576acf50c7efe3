"""Paths of bulk pushes and of the ingestion log, below /api/v1/.

`temperature` itself also lists readings and is in `temperature_site.api.urls`.
"""

from django.urls import path

from ingestion.api import views

urlpatterns = [
    path("admin/ingestion/logs", views.IngestionLogs.as_view(), name="api-ingestion-logs"),
    path("temperature/bulk", views.BulkPushView.as_view(), name="api-bulk-push"),
]
