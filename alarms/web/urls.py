"""URLs of alarms, limits and maintenance windows."""

from django.urls import path

from alarms.web import alarms, limits

urlpatterns = [
    path("alarms", alarms.alarms_page, name="alarms"),
    path("alarms/count", alarms.alarm_count, name="alarm-count"),
    path("alarms/<uuid:public_id>", alarms.alarm_page, name="alarm"),
    path("alarms/<uuid:public_id>/acknowledge", alarms.acknowledge_alarm, name="alarm-acknowledge"),
    path("alarms/<uuid:public_id>/comment", alarms.comment_on_alarm, name="alarm-comment"),
    path("alarms/<uuid:public_id>/close", alarms.close_alarm, name="alarm-close"),
    path("units/<uuid:public_id>/excursions.json", alarms.unit_excursions, name="unit-excursions"),
    path("settings/limit-profiles", limits.profiles_page, name="settings-limit-profiles"),
    path("settings/limit-profiles/new", limits.profile_page, name="settings-new-limit-profile"),
    path("settings/limit-profiles/<uuid:profile_id>", limits.profile_page, name="settings-limit-profile"),
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
    path("settings/<uuid:public_id>/maintenance", limits.maintenance_page, name="settings-maintenance"),
    path(
        "settings/<uuid:public_id>/maintenance/<uuid:window_id>/end",
        limits.end_maintenance,
        name="settings-end-maintenance",
    ),
]
