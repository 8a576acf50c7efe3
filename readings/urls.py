"""The pages of readings."""

from django.urls import path

from readings import views

urlpatterns = [
    path("", views.overview_page, name="overview"),
    path("units/<uuid:public_id>", views.unit_page, name="unit"),
    path("units/<uuid:public_id>/series.json", views.unit_series, name="unit-series"),
]
