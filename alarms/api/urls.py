"""Paths of alarms, excursions and limits, below /api/v1/."""

from django.urls import path

from alarms.api import alarms, limits, sensors

urlpatterns = [
    path("alarms", alarms.AlarmList.as_view(), name="api-alarms"),
    path("alarms/<uuid:alarm_id>", alarms.AlarmDetail.as_view(), name="api-alarm"),
    path("alarms/<uuid:alarm_id>/acknowledge", alarms.AcknowledgeAlarm.as_view(), name="api-acknowledge-alarm"),
    path("alarms/<uuid:alarm_id>/comment", alarms.CommentOnAlarm.as_view(), name="api-comment-on-alarm"),
    path("alarms/<uuid:alarm_id>/close", alarms.CloseAlarm.as_view(), name="api-close-alarm"),
    path("analytics/alarms/history", alarms.AlarmHistory.as_view(), name="api-alarm-history"),
    path("excursions", alarms.ExcursionList.as_view(), name="api-excursions"),
    path("limit-profiles", limits.LimitProfileList.as_view(), name="api-limit-profiles"),
    path("units/<uuid:unit_id>/limits", limits.UnitLimitsView.as_view(), name="api-unit-limits"),
    path("units/<uuid:unit_id>/limits/preview", limits.UnitLimitsPreview.as_view(), name="api-unit-limits-preview"),
    path("units/<uuid:unit_id>/sensors/retirement", sensors.SensorRetirement.as_view(), name="api-sensor-retirement"),
]
