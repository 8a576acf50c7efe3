"""Paths of sources, customers, bulk pushes and the ingestion log, below /api/v1/.

`temperature` itself also lists readings and is in `temperature_site.api.urls`.
"""

from django.urls import path

from ingestion.api import customers, ingest, sources, views

urlpatterns = [
    path("admin/ingestion/logs", views.IngestionLogs.as_view(), name="api-ingestion-logs"),
    path("admin/customers", customers.AdminCustomerList.as_view(), name="api-admin-customers"),
    path("admin/customers/<uuid:public_id>", customers.AdminCustomer.as_view(), name="api-admin-customer"),
    path("customers/profile", customers.Profile.as_view(), name="api-profile"),
    path("ingest/<uuid:public_id>", ingest.IngestView.as_view(), name="api-ingest"),
    path("sources", sources.SourceList.as_view(), name="api-sources"),
    path("sources/<uuid:public_id>", sources.SourceDetail.as_view(), name="api-source"),
    path("sources/<uuid:public_id>/test", sources.TestSource.as_view(), name="api-test-source"),
    path("sources/<uuid:public_id>/poll", sources.PollSource.as_view(), name="api-poll-source"),
    path("sources/<uuid:public_id>/pause", sources.PauseSource.as_view(), name="api-pause-source"),
    path("sources/<uuid:public_id>/resume", sources.ResumeSource.as_view(), name="api-resume-source"),
    path("sources/<uuid:public_id>/tokens", ingest.SourceTokens.as_view(), name="api-source-tokens"),
    path("temperature/bulk", views.BulkPushView.as_view(), name="api-bulk-push"),
]
