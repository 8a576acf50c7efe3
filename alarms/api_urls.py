"""The paths of the REST API that are about limits, excursions and alarms, below /api/v1/."""

from django.urls import path

from alarms import api, limits_api

urlpatterns = [
    path("alarms", api.AlarmList.as_view(), name="api-alarms"),
    path("alarms/<uuid:alarm_id>", api.AlarmDetail.as_view(), name="api-alarm"),
    path("alarms/<uuid:alarm_id>/acknowledge", api.AcknowledgeAlarm.as_view(), name="api-acknowledge-alarm"),
    path("alarms/<uuid:alarm_id>/comment", api.CommentOnAlarm.as_view(), name="api-comment-on-alarm"),
    path("alarms/<uuid:alarm_id>/close", api.CloseAlarm.as_view(), name="api-close-alarm"),
    path("analytics/alarms/history", api.AlarmHistory.as_view(), name="api-alarm-history"),
    path("excursions", api.ExcursionList.as_view(), name="api-excursions"),
    path("limit-profiles", limits_api.LimitProfileList.as_view(), name="api-limit-profiles"),
    path("units/<uuid:unit_id>/limits", limits_api.UnitLimitsView.as_view(), name="api-unit-limits"),
]
