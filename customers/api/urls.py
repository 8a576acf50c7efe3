"""Paths of facilities and API tokens, below /api/v1/."""

from django.urls import path

from customers.api import views

urlpatterns = [
    path("facilities", views.FacilityList.as_view(), name="api-facilities"),
    path("facilities/<uuid:public_id>", views.FacilityDetail.as_view(), name="api-facility"),
    path("customers/tokens", views.TokenList.as_view(), name="api-tokens"),
    path("customers/tokens/<uuid:public_id>", views.TokenDetail.as_view(), name="api-token"),
    path("admin/facilities", views.AdminFacilityList.as_view(), name="api-admin-facilities"),
    path("admin/customers/<uuid:public_id>/tokens", views.AdminTokenList.as_view(), name="api-admin-tokens"),
]
