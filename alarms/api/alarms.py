"""The REST API of alarms and excursions: what there was, and what people do about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from alarms.api.alarm_form import alarm_columns, alarms_in_form, detailed_form, excursion_columns, excursions_in_form
from alarms.api.serializers import (
    AcknowledgeSerializer,
    AlarmSerializer,
    CloseSerializer,
    DetailedAlarmSerializer,
    ExcursionSerializer,
)
from alarms.lifecycle import actions
from alarms.models import Alarm, Excursion
from alarms.selectors import SEVERITIES, WantedAlarms, WantedExcursions, alarms_within, excursions_within
from core.api.errors import Contradiction
from core.api.query_params import Parameters
from core.api.schema import FACILITY_ID, PAGE, PERIOD, UNIT_ID, page_of
from customers.access.lookup import addressed
from customers.access.permissions import READ, READ_AND_WRITE
from customers.access.principal import caller_of
from customers.models import Facility, StorageUnit

OF_PLACE = [FACILITY_ID, UNIT_ID]
PAGE_OF_ALARMS = page_of(AlarmSerializer)
STATE = OpenApiParameter("state", enum=Alarm.State.values, description="Without it all but pending ones.")
KIND = OpenApiParameter("kind", enum=Alarm.Kind.values, description="Only of this kind.")
EXCURSION_KIND = OpenApiParameter("kind", enum=Excursion.Kind.values, description="Only of this kind.")
SEVERITY = OpenApiParameter("severity", enum=SEVERITIES, description="Only of this severity.")
LONGEST_SECONDS = 2**31
SHORTEST = OpenApiParameter(
    "min_duration_seconds",
    {"type": "integer", "minimum": 0, "maximum": LONGEST_SECONDS},
    description="Only those that last, or lasted, for so long.",
)
NOT_POSSIBLE = OpenApiResponse(
    {"$ref": "#/components/schemas/Error"}, "The alarm is not in a state for this; it says why."
)


class AlarmHistory(GenericAPIView[Alarm]):
    """The alarms of the caller's units, newest first, by when their cause began."""

    needs = READ
    serializer_class = AlarmSerializer

    @extend_schema(parameters=[*PERIOD, *OF_PLACE, *PAGE], responses=PAGE_OF_ALARMS)
    def get(self, request: Request) -> Response:
        columns = self.paginate_queryset(alarm_columns(self.get_queryset()))
        return self.get_paginated_response(alarms_in_form(columns or []))

    def get_queryset(self) -> QuerySet[Alarm]:
        return alarms_within(caller_of(self.request).own_scope, self.wanted(Parameters.of(self.request)))

    def wanted(self, parameters: Parameters) -> WantedAlarms:
        start, end = parameters.period()
        return WantedAlarms(start=start, end=end, **_place_named(self.request))


class AlarmList(AlarmHistory):
    """The alarms of the caller, newest first, in one state, of one kind or severity, of a facility or a unit."""

    @extend_schema(parameters=[STATE, KIND, SEVERITY, *PERIOD, *OF_PLACE, *PAGE], responses=PAGE_OF_ALARMS)
    def get(self, request: Request) -> Response:
        return super().get(request)

    def wanted(self, parameters: Parameters) -> WantedAlarms:
        state = parameters.choice("state", ["", *Alarm.State.values], "")
        return (
            super()
            .wanted(parameters)
            ._replace(
                states=[state] if state else (),
                kind=parameters.choice("kind", ["", *Alarm.Kind.values], ""),
                severity=parameters.choice("severity", ["", *SEVERITIES], ""),
            )
        )


class AlarmDetail(GenericAPIView[Alarm]):
    """One alarm with all that happened to it, and the alarms that it explains."""

    needs = READ
    serializer_class = DetailedAlarmSerializer

    def get(self, request: Request, alarm_id: UUID) -> Response:
        alarm: Alarm = addressed(Alarm, request, alarm_id)
        return Response(detailed_form(alarm, caller_of(request).scope))


class HandledAlarm(GenericAPIView[Alarm]):
    """What a person does to an alarm; subclasses say what, and by which of `handling`'s functions."""

    needs = {"POST": READ_AND_WRITE["POST"]}
    handle: Callable[..., Alarm]

    def answer(self, request: Request, alarm_id: UUID, **renamed: str) -> Response:
        """Do it with what the body holds, under the names that `renamed` gives. Raises Contradiction (409)."""
        alarm: Alarm = addressed(Alarm, request, alarm_id)
        sent = self.get_serializer(data=request.data)
        sent.is_valid(raise_exception=True)
        said = {renamed.get(name, name): text for name, text in sent.validated_data.items()}
        try:
            type(self).handle(alarm, by=caller_of(request).name, **said)
        except actions.NotPossible as error:
            raise Contradiction(str(error)) from error
        return Response(detailed_form(alarm, caller_of(request).scope))


class AcknowledgeAlarm(HandledAlarm):
    """An alarm that is taken over."""

    serializer_class = AcknowledgeSerializer
    handle = staticmethod(actions.acknowledge)

    @extend_schema(responses={200: DetailedAlarmSerializer, 409: NOT_POSSIBLE})
    def post(self, request: Request, alarm_id: UUID) -> Response:
        """Take an open alarm over, saying what is done about it: 409 for one that is not open."""
        return self.answer(request, alarm_id)


class CommentOnAlarm(HandledAlarm):
    """An alarm that somebody has something to say of."""

    serializer_class = AcknowledgeSerializer
    handle = staticmethod(actions.comment)

    @extend_schema(responses={200: DetailedAlarmSerializer, 409: NOT_POSSIBLE})
    def post(self, request: Request, alarm_id: UUID) -> Response:
        """Add a comment to an alarm in any state."""
        return self.answer(request, alarm_id, comment="text")


class CloseAlarm(HandledAlarm):
    """An alarm whose cause is known."""

    serializer_class = CloseSerializer
    handle = staticmethod(actions.close)

    @extend_schema(responses={200: DetailedAlarmSerializer, 409: NOT_POSSIBLE})
    def post(self, request: Request, alarm_id: UUID) -> Response:
        """Write down the cause and the corrective action, and close it: 409 while the cause lasts."""
        return self.answer(request, alarm_id)


class ExcursionList(GenericAPIView[Excursion]):
    """Stretches of time outside the limits that lie, be it in part, between two times, newest first."""

    needs = READ
    serializer_class = ExcursionSerializer

    @extend_schema(
        parameters=[EXCURSION_KIND, SEVERITY, SHORTEST, *PERIOD, *OF_PLACE, *PAGE],
        responses=page_of(ExcursionSerializer),
    )
    def get(self, request: Request) -> Response:
        columns = self.paginate_queryset(excursion_columns(self.get_queryset()))
        return self.get_paginated_response(excursions_in_form(columns or []))

    def get_queryset(self) -> QuerySet[Excursion]:
        parameters = Parameters.of(self.request)
        start, end = parameters.period()
        seconds = parameters.whole_number("min_duration_seconds", 0, 0, LONGEST_SECONDS)
        wanted = WantedExcursions(
            kind=parameters.choice("kind", ["", *Excursion.Kind.values], ""),
            severity=parameters.choice("severity", ["", *SEVERITIES], ""),
            start=start,
            end=end,
            shortest=timedelta(seconds=seconds) if seconds else None,
            **_place_named(self.request),
        )
        return excursions_within(caller_of(self.request).own_scope, wanted)


def _place_named(request: Request) -> dict[str, Any]:
    """The `facility_id` and `unit_id` of the query. Raises Http404 for those beyond the caller's scope."""
    parameters, scope = Parameters.of(request), caller_of(request).scope
    named = {"facility_id": parameters.public_id("facility_id"), "unit_id": parameters.public_id("unit_id")}
    models: tuple[Any, ...] = (Facility, StorageUnit)
    for model, public_id in zip(models, named.values(), strict=True):
        if public_id is not None and not model.objects.within(scope).filter(public_id=public_id).exists():
            raise Http404
    return named
