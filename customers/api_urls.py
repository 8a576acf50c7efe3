"""The paths of the REST API that are about who owns what, below /api/v1/."""

from django.urls import path

from customers import api

urlpatterns = [
    path("facilities", api.FacilityList.as_view(), name="api-facilities"),
    path("facilities/<uuid:public_id>", api.FacilityDetail.as_view(), name="api-facility"),
    path("customers/tokens", api.TokenList.as_view(), name="api-tokens"),
    path("customers/tokens/<uuid:public_id>", api.TokenDetail.as_view(), name="api-token"),
    path("admin/facilities", api.AdminFacilityList.as_view(), name="api-admin-facilities"),
    path("admin/customers/<uuid:public_id>/tokens", api.AdminTokenList.as_view(), name="api-admin-tokens"),
]
