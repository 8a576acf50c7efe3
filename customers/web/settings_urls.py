"""URLs of the settings pages: a person's own, and those of a customer."""

from django.urls import path

from customers.web import people, trail
from customers.web import settings as views

urlpatterns = [
    path("settings", views.profile_page, name="settings"),
    path("settings/display", views.change_display, name="settings-display"),
    path("settings/<uuid:public_id>/tokens", views.tokens_page, name="settings-tokens"),
    path("settings/<uuid:public_id>/tokens/<uuid:token_id>/revoke", views.revoke_token, name="settings-revoke-token"),
    path("settings/<uuid:public_id>/people", people.people_page, name="settings-people"),
    path("settings/<uuid:public_id>/people/<int:membership_id>", people.change_member, name="settings-member"),
    path("settings/<uuid:public_id>/second-factor", people.change_second_factor, name="settings-second-factor"),
    path(
        "settings/<uuid:public_id>/invitations/<uuid:invitation_id>",
        people.change_invitation,
        name="settings-invitation",
    ),
    path(
        "settings/<uuid:public_id>/people/<int:membership_id>/history",
        trail.member_history,
        name="settings-member-history",
    ),
    path("settings/<uuid:public_id>/history", trail.customer_history, name="settings-history"),
    path("trail", trail.trail_page, name="trail"),
    path("trail.csv", trail.trail_csv, name="trail-csv"),
    path("settings/<uuid:public_id>/units", views.units_page, name="settings-units"),
    path("settings/<uuid:public_id>/units/<uuid:unit_id>", views.unit_page, name="settings-unit"),
]
