"""The paths of the REST API that are about who owns what, below /api/v1/."""

from django.urls import path

from customers import api

urlpatterns = [
    path("facilities", api.FacilityList.as_view()),
    path("facilities/<uuid:public_id>", api.FacilityDetail.as_view()),
    path("customers/tokens", api.TokenList.as_view()),
    path("customers/tokens/<uuid:public_id>", api.TokenDetail.as_view()),
    path("admin/facilities", api.AdminFacilityList.as_view()),
    path("admin/customers/<uuid:public_id>/tokens", api.AdminTokenList.as_view()),
]
