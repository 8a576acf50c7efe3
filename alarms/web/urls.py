"""URLs of alarms, limits, maintenance windows and notifications."""

from django.urls import path

from alarms.web import alarms, chart, limits, notifications, sensors

NOTIFICATIONS = "settings/<uuid:public_id>/notifications"

urlpatterns = [
    path("alarms", alarms.alarms_page, name="alarms"),
    path("alarms/count", alarms.alarm_count, name="alarm-count"),
    path("alarms/<uuid:public_id>", alarms.alarm_page, name="alarm"),
    path("alarms/<uuid:public_id>/history", alarms.alarm_history, name="alarm-history"),
    path("alarms/<uuid:public_id>/acknowledge", alarms.acknowledge_alarm, name="alarm-acknowledge"),
    path("alarms/<uuid:public_id>/signing/<str:action>", alarms.signing_options, name="alarm-signing"),
    path("alarms/<uuid:public_id>/comment", alarms.comment_on_alarm, name="alarm-comment"),
    path("alarms/<uuid:public_id>/close", alarms.close_alarm, name="alarm-close"),
    path("units/<uuid:public_id>/excursions.json", chart.unit_excursions, name="unit-excursions"),
    path("settings/limit-profiles", limits.profiles_page, name="settings-limit-profiles"),
    path("settings/limit-profiles/new", limits.profile_page, name="settings-new-limit-profile"),
    path("settings/limit-profiles/<uuid:profile_id>", limits.profile_page, name="settings-limit-profile"),
    path("settings/<uuid:public_id>/limits", limits.customer_limits_page, name="settings-customer-limits"),
    path(
        "settings/<uuid:public_id>/units/<uuid:unit_id>/limits",
        limits.unit_limits_page,
        name="settings-unit-limits",
    ),
    path(
        "settings/<uuid:public_id>/units/<uuid:unit_id>/limits/replay",
        limits.limit_replay_page,
        name="settings-limit-replay",
    ),
    path(
        "settings/<uuid:public_id>/units/<uuid:unit_id>/sensors/<int:sensor_id>/retirement",
        sensors.change_retirement,
        name="settings-sensor-retirement",
    ),
    path("settings/<uuid:public_id>/maintenance", limits.maintenance_page, name="settings-maintenance"),
    path(
        "settings/<uuid:public_id>/maintenance/<uuid:window_id>/end",
        limits.end_maintenance,
        name="settings-end-maintenance",
    ),
    path(NOTIFICATIONS, notifications.notifications_page, name="settings-notifications"),
    path(f"{NOTIFICATIONS}/channels/new", notifications.channel_page, name="settings-new-channel"),
    path(f"{NOTIFICATIONS}/channels/<uuid:channel_id>", notifications.channel_page, name="settings-channel"),
    path(
        f"{NOTIFICATIONS}/channels/<uuid:channel_id>/change",
        notifications.change_channel,
        name="settings-change-channel",
    ),
    path(f"{NOTIFICATIONS}/rules/new", notifications.rule_page, name="settings-new-rule"),
    path(f"{NOTIFICATIONS}/rules/<uuid:rule_id>", notifications.rule_page, name="settings-rule"),
    path(f"{NOTIFICATIONS}/rules/<uuid:rule_id>/delete", notifications.delete_rule, name="settings-delete-rule"),
    path(
        f"{NOTIFICATIONS}/messages/<uuid:message_id>/resend",
        notifications.resend_message,
        name="settings-resend-message",
    ),
    path(f"{NOTIFICATIONS}/drill", notifications.start_drill, name="settings-drill"),
    path(f"{NOTIFICATIONS}/drills", notifications.schedule_drills, name="settings-drill-schedule"),
]
