"""Paths of readings and storage units, below /api/v1/.

`temperature` itself also receives readings and is in `temperature_site.api.urls`.
"""

from django.urls import path

from readings.api import analytics, configuration, readings, sensors, series, statistics, units

urlpatterns = [
    # Paths are tried in turn: the most requested come first.
    path("temperature/latest", readings.LatestReadingList.as_view(), name="api-latest"),
    path("temperature/stats", statistics.StatisticsView.as_view(), name="api-statistics"),
    path("temperature/aggregate", statistics.AggregateView.as_view(), name="api-aggregate"),
    path("facilities/<uuid:facility_id>/detailed", units.DetailedFacility.as_view(), name="api-detailed-facility"),
    path("facilities/<uuid:facility_id>/units", units.FacilityUnitList.as_view(), name="api-facility-units"),
    path("units/<uuid:unit_id>", units.UnitDetail.as_view(), name="api-unit"),
    path("units/<uuid:unit_id>/sensors", sensors.UnitSensorList.as_view(), name="api-unit-sensors"),
    path("admin/config", configuration.Configuration.as_view(), name="api-configuration"),
    path("admin/config/<str:key>", configuration.ConfigurationKey.as_view(), name="api-configuration-key"),
    path("temperature/unit/<uuid:unit_id>/series", series.SeriesView.as_view(), name="api-series"),
    path("admin/temperature", readings.AdminReadingList.as_view(), name="api-admin-readings"),
    path(
        "admin/temperature/facility/<uuid:facility_id>",
        readings.AdminFacilityReadingList.as_view(),
        name="api-admin-facility-readings",
    ),
    path("admin/analytics/temperature/summary", analytics.AdminSummaryView.as_view(), name="api-admin-summary"),
    path("analytics/temperature/summary", analytics.SummaryView.as_view(), name="api-summary"),
    path("analytics/temperature/trends", analytics.TrendsView.as_view(), name="api-trends"),
    path("analytics/performance", analytics.PerformanceView.as_view(), name="api-performance"),
    path(
        "temperature/facility/<uuid:facility_id>", readings.FacilityReadingList.as_view(), name="api-facility-readings"
    ),
    path("temperature/unit/<uuid:unit_id>", readings.UnitReadingList.as_view(), name="api-unit-readings"),
]
