"""The paths of the REST API that are about what was measured, below /api/v1/.

`temperature` itself takes readings in as well, so it stands with `ingestion`.
"""

from django.urls import path

from readings import analytics_api, api, configuration_api, profiles_api, series_api, statistics_api, units_api

urlpatterns = [
    path("facilities/<uuid:facility_id>/detailed", units_api.DetailedFacility.as_view(), name="api-detailed-facility"),
    path("facilities/<uuid:facility_id>/units", units_api.FacilityUnitList.as_view(), name="api-facility-units"),
    path("units/<uuid:unit_id>", units_api.UnitDetail.as_view(), name="api-unit"),
    path("customers/profile", profiles_api.Profile.as_view(), name="api-profile"),
    path("admin/customers", profiles_api.AdminCustomerList.as_view(), name="api-admin-customers"),
    path("admin/customers/<uuid:public_id>", profiles_api.AdminCustomer.as_view(), name="api-admin-customer"),
    path("admin/config", configuration_api.Configuration.as_view(), name="api-configuration"),
    path("admin/config/<str:key>", configuration_api.ConfigurationKey.as_view(), name="api-configuration-key"),
    path("temperature/stats", statistics_api.StatisticsView.as_view(), name="api-statistics"),
    path("temperature/aggregate", statistics_api.AggregateView.as_view(), name="api-aggregate"),
    path("temperature/unit/<uuid:unit_id>/series", series_api.SeriesView.as_view(), name="api-series"),
    path("admin/temperature", api.AdminReadingsView.as_view(), name="api-admin-readings"),
    path(
        "admin/temperature/facility/<uuid:facility_id>",
        api.AdminFacilityReadingsView.as_view(),
        name="api-admin-facility-readings",
    ),
    path("admin/analytics/temperature/summary", analytics_api.AdminSummaryView.as_view(), name="api-admin-summary"),
    path("analytics/temperature/summary", analytics_api.SummaryView.as_view(), name="api-summary"),
    path("analytics/temperature/trends", analytics_api.TrendsView.as_view(), name="api-trends"),
    path("analytics/performance", analytics_api.PerformanceView.as_view(), name="api-performance"),
    path("temperature/latest", api.LatestView.as_view(), name="api-latest"),
    path("temperature/facility/<uuid:facility_id>", api.FacilityReadingsView.as_view(), name="api-facility-readings"),
    path("temperature/unit/<uuid:unit_id>", api.UnitReadingsView.as_view(), name="api-unit-readings"),
]
