"""The REST API of alarms and excursions: what there was, and what people do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from alarms.api.serializers import (
    AcknowledgeSerializer,
    AlarmSerializer,
    CloseSerializer,
    DetailedAlarmSerializer,
    ExcursionSerializer,
)
from alarms.lifecycle import actions
from alarms.models import Alarm, Excursion
from alarms.selectors import SEVERITIES, WantedAlarms, WantedExcursions, visible_alarms, visible_excursions
from core.api.errors import Contradiction
from core.api.query_params import Parameters
from core.api.schema import FACILITY_ID, PAGE, PERIOD, UNIT_ID, page_of
from core.scope import Scope
from customers.access.lookup import addressed
from customers.access.permissions import READ, READ_AND_WRITE
from customers.access.principal import principal_of
from customers.models import Facility, StorageUnit
from readings.models import Reading
from readings.statistics.aggregates import on_scale

MOST_SUPPRESSED = 100
# Fields of the answer with the ways to their columns; codes stand for names where there are none.
_PLACE = {
    "facility_id": "storage_unit__facility__public_id",
    "facility_name": "storage_unit__facility__name",
    "facility_code": "storage_unit__facility__facility_code",
    "storage_unit_id": "storage_unit__public_id",
    "unit_name": "storage_unit__name",
    "unit_code": "storage_unit__unit_code",
    "temperature_unit": "storage_unit__temperature_unit",
}
_ALARM = _PLACE | {
    "id": "public_id",
    "customer_id": "customer__public_id",
    "sensor_id": "sensor__sensor_code",
    "temperature": "temperature_c",
    "equipment_status": "status_sent",
    "suppressed_by_id": "suppressed_by__public_id",
    "excursion_id": "excursion__public_id",
}
_ALARM |= {
    name: name
    for name in (
        "kind", "severity", "state", "source_name", "recorded_at", "started_at", "ended_at", "opened_at",
        "acknowledged_at", "acknowledged_by", "acknowledgement", "closed_at", "closed_by", "cause",
        "corrective_action", "is_detected_late", "is_withdrawn", "reopened_count",
    )
}  # fmt: skip
_EXCURSION = _PLACE | {
    "id": "public_id",
    "peak_temperature": "peak_c",
    "mkt": "mkt_c",
    "profile_name": "limit_version__profile_name",
}
_EXCURSION |= {
    name: name
    for name in (
        "kind", "severity", "started_at", "ended_at", "last_outside_at", "peak_at", "area_kelvin_minutes",
        "outside_seconds", "gap_seconds", "alarm_at", "critical_alarm_at", "is_detected_late", "detected_at",
    )
}  # fmt: skip


def alarm_columns(alarms: QuerySet[Any]) -> QuerySet[Any]:
    """The columns that `alarms_in_form` wants."""
    # Several sensors may have measured at that instant: what any of them said.
    sent = Reading.objects.filter(storage_unit=OuterRef("storage_unit"), recorded_at=OuterRef("recorded_at"))
    status = Subquery(sent.order_by("sensor_id").values("equipment_status__name")[:1])
    return alarms.annotate(status_sent=status).values_list(*_ALARM.values())


def alarms_in_form(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Alarms of `alarm_columns` with the fields of AlarmSerializer."""
    return [_in_form(_ALARM, row, "temperature") for row in rows]


def detailed_form(alarm: Alarm, scope: Scope) -> dict[str, Any]:
    """The alarm with its trail and the alarms within `scope` that it explains. Three queries."""
    (own,) = alarms_in_form(alarm_columns(Alarm.objects.filter(pk=alarm.pk)))
    suppressed = Alarm.objects.visible_to(scope).filter(suppressed_by=alarm).order_by("-started_at", "-pk")
    return own | {
        "events": list(alarm.events.order_by("happened_at", "pk").values("kind", "happened_at", "by", "text")),
        "suppressed_alarms": alarms_in_form(alarm_columns(suppressed)[:MOST_SUPPRESSED]),
    }


def excursion_columns(excursions: QuerySet[Any]) -> QuerySet[Any]:
    """The columns that `excursions_in_form` wants."""
    return excursions.values_list(*_EXCURSION.values())


def excursions_in_form(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Excursions of `excursion_columns` with the fields of ExcursionSerializer."""
    return [_in_form(_EXCURSION, row, "peak_temperature", "mkt") for row in rows]


def _in_form(names: Iterable[str], row: tuple[Any, ...], *temperatures: str) -> dict[str, Any]:
    shown = dict(zip(names, row, strict=True))
    facility_code, unit_code = shown.pop("facility_code"), shown.pop("unit_code")
    shown |= {"facility_name": shown["facility_name"] or facility_code, "unit_name": shown["unit_name"] or unit_code}
    for name in temperatures:
        shown[name] = on_scale(shown[name], shown["temperature_unit"])
    return shown


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
        return visible_alarms(principal_of(self.request).own_scope, self.wanted(Parameters.of(self.request)))

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
        return Response(detailed_form(alarm, principal_of(request).scope))


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
            type(self).handle(alarm, by=principal_of(request).name, **said)
        except actions.NotPossible as error:
            raise Contradiction(str(error)) from error
        return Response(detailed_form(alarm, principal_of(request).scope))


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
        return visible_excursions(principal_of(self.request).own_scope, wanted)


def _place_named(request: Request) -> dict[str, Any]:
    """The `facility_id` and `unit_id` of the query. Raises Http404 for those beyond the caller's scope."""
    parameters, scope = Parameters.of(request), principal_of(request).scope
    named = {"facility_id": parameters.public_id("facility_id"), "unit_id": parameters.public_id("unit_id")}
    models: tuple[Any, ...] = (Facility, StorageUnit)
    for model, public_id in zip(models, named.values(), strict=True):
        if public_id is not None and not model.objects.visible_to(scope).filter(public_id=public_id).exists():
            raise Http404
    return named
