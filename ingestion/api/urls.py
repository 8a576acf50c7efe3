"""Paths of sources, customers, bulk pushes and the ingestion log, below /api/v1/.

`temperature` itself also lists readings and is in `temperature_site.api.urls`.
"""

from django.urls import path

from ingestion.api import customers, views

urlpatterns = [
    path("admin/ingestion/logs", views.IngestionLogs.as_view(), name="api-ingestion-logs"),
    path("admin/customers", customers.AdminCustomerList.as_view(), name="api-admin-customers"),
    path("admin/customers/<uuid:public_id>", customers.AdminCustomer.as_view(), name="api-admin-customer"),
    path("temperature/bulk", views.BulkPushView.as_view(), name="api-bulk-push"),
]
