"""The pages of alarms, and those on which limits and maintenance windows are set."""

from django.urls import path

from alarms import limit_replay_views, settings_views, views

urlpatterns = [
    path("alarms", views.alarms_page, name="alarms"),
    path("alarms/count", views.alarm_count, name="alarm-count"),
    path("alarms/<uuid:public_id>", views.alarm_page, name="alarm"),
    path("alarms/<uuid:public_id>/acknowledge", views.acknowledge_alarm, name="alarm-acknowledge"),
    path("alarms/<uuid:public_id>/comment", views.comment_on_alarm, name="alarm-comment"),
    path("alarms/<uuid:public_id>/close", views.close_alarm, name="alarm-close"),
    path("units/<uuid:public_id>/excursions.json", views.unit_excursions, name="unit-excursions"),
    path("settings/limit-profiles", settings_views.profiles_page, name="settings-limit-profiles"),
    path("settings/limit-profiles/new", settings_views.profile_page, name="settings-new-limit-profile"),
    path("settings/limit-profiles/<uuid:profile_id>", settings_views.profile_page, name="settings-limit-profile"),
    path(
        "settings/<uuid:public_id>/units/<uuid:unit_id>/limits",
        settings_views.unit_limits_page,
        name="settings-unit-limits",
    ),
    path(
        "settings/<uuid:public_id>/units/<uuid:unit_id>/limits/replay",
        limit_replay_views.limit_replay_page,
        name="settings-limit-replay",
    ),
    path("settings/<uuid:public_id>/maintenance", settings_views.maintenance_page, name="settings-maintenance"),
    path(
        "settings/<uuid:public_id>/maintenance/<uuid:window_id>/end",
        settings_views.end_maintenance,
        name="settings-end-maintenance",
    ),
]
