"""URLs of the pages of readings."""

from django.urls import path

from readings.web import analytics, views

urlpatterns = [
    path("", views.overview_page, name="overview"),
    path("analytics", analytics.trends_page, name="analytics"),
    path("analytics/side-by-side", analytics.comparison_page, name="analytics-comparison"),
    path("analytics/deviation", analytics.deviation_page, name="analytics-deviation"),
    path("analytics/quality", analytics.quality_page, name="analytics-quality"),
    path("facilities", views.facilities_page, name="facilities"),
    path("facilities/<uuid:public_id>", views.facility_page, name="facility"),
    path("units/<uuid:public_id>", views.unit_page, name="unit"),
    path("units/<uuid:public_id>/series.json", views.unit_series, name="unit-series"),
    path("units/<uuid:public_id>/history", views.unit_history, name="unit-history"),
    path("units/<uuid:public_id>/readings.csv", views.unit_csv, name="unit-csv"),
]
