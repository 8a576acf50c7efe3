"""The paths of the REST API that are about what was measured, below /api/v1/.

`temperature` itself takes readings in as well, so it stands with `ingestion`.
"""

from django.urls import path

from readings import api

urlpatterns = [
    path("temperature/latest", api.LatestView.as_view(), name="api-latest"),
    path("temperature/facility/<uuid:facility_id>", api.FacilityReadingsView.as_view(), name="api-facility-readings"),
    path("temperature/unit/<uuid:unit_id>", api.UnitReadingsView.as_view(), name="api-unit-readings"),
]
