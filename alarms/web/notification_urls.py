"""URLs of the notification settings."""

from django.urls import path

from alarms.web import notifications as views

ROOT = "settings/<uuid:public_id>/notifications"

urlpatterns = [
    path(ROOT, views.notifications_page, name="settings-notifications"),
    path(f"{ROOT}/channels/new", views.channel_page, name="settings-new-channel"),
    path(f"{ROOT}/channels/<uuid:channel_id>", views.channel_page, name="settings-channel"),
    path(f"{ROOT}/channels/<uuid:channel_id>/change", views.change_channel, name="settings-change-channel"),
    path(f"{ROOT}/rules/new", views.rule_page, name="settings-new-rule"),
    path(f"{ROOT}/rules/<uuid:rule_id>", views.rule_page, name="settings-rule"),
    path(f"{ROOT}/rules/<uuid:rule_id>/delete", views.delete_rule, name="settings-delete-rule"),
    path(f"{ROOT}/messages/<uuid:message_id>/resend", views.resend_message, name="settings-resend-message"),
    path(f"{ROOT}/drill", views.start_drill, name="settings-drill"),
    path(f"{ROOT}/drills", views.schedule_drills, name="settings-drill-schedule"),
]
