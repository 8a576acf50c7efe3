"""URLs of the pages of seals."""

from django.urls import path

from seals.web import views

urlpatterns = [
    path("seals", views.seals_page, name="seals"),
    path("seals.csv", views.roots_csv, name="seals-csv"),
]
