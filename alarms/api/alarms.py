"""REST API views of alarms and excursions, and of the actions that people take on alarms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import override

from alarms.api.serializers import (
    AcknowledgeSerializer,
    AlarmEventSerializer,
    AlarmSerializer,
    AlarmSignatureSerializer,
    CloseSerializer,
    CommentSerializer,
    DetailedAlarmSerializer,
    ExcursionSerializer,
)
from alarms.excursions.until_now import METRICS, ongoing_until
from alarms.lifecycle import actions
from alarms.lifecycle.signatures import Signing, signing_of
from alarms.models import Alarm, AlarmEvent, AlarmSignature, Excursion
from alarms.selectors import AlarmFilter, ExcursionFilter, visible_alarms, visible_excursions
from alarms.thresholds import Severity
from core.api.errors import Conflict
from core.api.lists import RowListView, page_of
from core.api.pagination import PageParams, Rows
from core.api.query_params import ChoiceParam, FacilityUnitParams, Params, PeriodParams, WholeNumberParam, takes
from core.api.serializer_rows import Representation, Row, SerializerRows
from core.api.versions import etag_of_values, require_match
from core.scope import Scope
from customers.access import actions as access
from customers.access.lookup import get_addressed
from customers.access.principal import Principal, principal_of
from customers.access.reauthentication import NotConfirmed, confirm_password
from customers.access.submissions import once
from customers.models import Facility, StorageUnit
from readings.api.fields import TemperatureRows
from readings.models import Reading

M = TypeVar("M", Alarm, Excursion)

MAX_INHIBITED_ALARMS = 100
MAX_DURATION_SECONDS = 2**31
ALARM_ROWS = TemperatureRows(AlarmSerializer)
EVENT_ROWS = SerializerRows(AlarmEventSerializer)
SIGNATURE_ROWS = SerializerRows(AlarmSignatureSerializer)
EXCURSION_ROWS = TemperatureRows(ExcursionSerializer)
PAGE_OF_ALARMS = page_of(AlarmSerializer)
NOT_POSSIBLE = OpenApiResponse(
    {"$ref": "#/components/schemas/Error"}, "The alarm's state does not allow this; `detail` says why."
)


class AlarmHistoryParams(PeriodParams, FacilityUnitParams):
    """Filters of the alarm history."""


class AlarmParams(AlarmHistoryParams):
    """Filters of alarms."""

    state = ChoiceParam(Alarm.State, help_text="Only alarms in this state; by default all but pending ones.")
    kind = ChoiceParam(Alarm.Kind, help_text="Only alarms of this kind.")
    severity = ChoiceParam(Severity, help_text="Only alarms of this severity.")


class ExcursionParams(PeriodParams, FacilityUnitParams):
    """Filters of excursions."""

    kind = ChoiceParam(Excursion.Kind, help_text="Only excursions of this kind.")
    severity = ChoiceParam(Severity, help_text="Only excursions of this severity.")
    min_duration_seconds = WholeNumberParam(
        min_value=0, max_value=MAX_DURATION_SECONDS, help_text="Only excursions of at least this duration."
    )


def alarm_values(alarms: QuerySet[Alarm]) -> QuerySet[Alarm, Row]:
    """Return the columns of AlarmSerializer."""
    # Several sensors may have measured at that instant: any of their statuses will do.
    readings = Reading.objects.filter(storage_unit=OuterRef("storage_unit"), recorded_at=OuterRef("recorded_at"))
    status = Subquery(readings.order_by("sensor_id").values("equipment_status__name")[:1])
    # Alarms of sources have no unit.
    of_drill = Coalesce("storage_unit__is_synthetic", Value(False))
    return ALARM_ROWS.values(_with_names(alarms).annotate(equipment_status=status, of_drill=of_drill))


def excursion_values(excursions: QuerySet[Excursion]) -> QuerySet[Excursion, Row]:
    """Return the columns of ExcursionSerializer."""
    return EXCURSION_ROWS.values(_with_names(excursions))


def counted_until_now(rows: list[Row]) -> list[Row]:
    """Return rows of `excursion_values` with the metrics of ongoing excursions up to now. Two queries if any is."""
    names = EXCURSION_ROWS.names
    public_id, ended_at = names.index("id"), names.index("ended_at")
    ongoing = ongoing_until(timezone.now(), [row[public_id] for row in rows if row[ended_at] is None])
    sources = [str(EXCURSION_ROWS.fields[name].source) for name in names]

    def counted(row: Row) -> Row:
        excursion = ongoing.get(row[public_id])
        if excursion is None:
            return row
        values = zip(sources, row, strict=True)
        return tuple(getattr(excursion, source) if source in METRICS else value for source, value in values)

    return [counted(row) for row in rows]


def _with_names(rows: QuerySet[M]) -> QuerySet[M]:
    """Add the names of the facility and the unit, or their codes if they have no names."""
    return rows.annotate(
        facility_name=_first_filled("storage_unit__facility__name", "storage_unit__facility__facility_code"),
        unit_name=_first_filled("storage_unit__name", "storage_unit__unit_code"),
    )


def _first_filled(name: str, code: str) -> Coalesce:
    return Coalesce(NullIf(name, Value("")), code)


class AlarmHistory(RowListView):
    """Alarms of the caller's units."""

    needs = {"GET": access.VIEW_ALARMS}
    serializer_class = AlarmSerializer
    rows = ALARM_ROWS

    @takes([AlarmHistoryParams, PageParams], responses=PAGE_OF_ALARMS)
    def get(self, request: Request) -> Response:
        """List alarms by the start of their cause, newest first."""
        return self.list_page()

    @override
    def get_rows(self) -> Rows:
        return alarm_values(self.get_queryset())

    @override
    def get_queryset(self) -> QuerySet[Alarm]:
        principal = principal_of(self.request)
        return visible_alarms(principal.own_scope, AlarmFilter(**self.get_filters(principal)))

    def get_filters(self, principal: Principal) -> Params:
        """Return the filters of the query. Raises Http404 for a facility or unit that the caller may not see."""
        return _visible(AlarmHistoryParams.parse(self.request), principal)


class AlarmList(AlarmHistory):
    """Alarms of the caller's units, by state, kind and severity."""

    @takes([AlarmParams, PageParams], responses=PAGE_OF_ALARMS)
    def get(self, request: Request) -> Response:
        """List alarms, newest first, filtered by state, kind, severity, period, facility or unit."""
        return self.list_page()

    @override
    def get_filters(self, principal: Principal) -> Params:
        filters = _visible(AlarmParams.parse(self.request), principal)
        if "state" in filters:
            filters["states"] = [filters.pop("state")]
        return filters


class AlarmDetail(GenericAPIView[Alarm]):
    """An alarm."""

    is_versioned = True
    needs = {"GET": access.VIEW_ALARMS}
    serializer_class = DetailedAlarmSerializer

    def get(self, request: Request, alarm_id: UUID) -> Response:
        """Return an alarm with its events and the alarms that it inhibits."""
        alarm: Alarm = get_addressed(Alarm, request, alarm_id)
        return versioned(alarm, represent_detailed(alarm, principal_of(request).scope))


class AlarmAction(GenericAPIView[Alarm]):
    """An action on an alarm: subclasses set `apply`, and name its arguments by their serializer."""

    creates_once = True
    is_versioned = True
    needs = {"POST": access.HANDLE_ALARMS}
    apply: Callable[..., Alarm]

    def perform(self, request: Request, alarm_id: UUID) -> Response:
        """Perform the action with the validated body. Raises Conflict if the alarm's state does not allow it."""
        alarm: Alarm = get_addressed(Alarm, request, alarm_id)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        principal = principal_of(request)
        arguments = dict(serializer.validated_data)
        if "signature" in arguments:
            arguments["signing"] = confirmed_signing(request, arguments.pop("signature"))
        try:
            with once(request):
                locked = Alarm.objects.select_for_update(no_key=True).get(pk=alarm.pk)
                comments = locked.events.filter(kind=AlarmEvent.Kind.COMMENTED).count()
                require_match(request, etag_of_alarm(locked, comments), lambda: _handled(locked))
                changed = type(self).apply(locked, by=principal.name, **arguments)
        except actions.ActionNotAllowed as error:
            raise Conflict(str(error)) from error
        return versioned(changed, represent_detailed(alarm, principal.scope))


class AcknowledgeAlarm(AlarmAction):
    """Acknowledgement of an alarm."""

    serializer_class = AcknowledgeSerializer
    apply = staticmethod(actions.acknowledge)

    @extend_schema(responses={200: DetailedAlarmSerializer, 409: NOT_POSSIBLE})
    def post(self, request: Request, alarm_id: UUID) -> Response:
        """Acknowledge an open alarm with a comment; 409 if it is not open."""
        return self.perform(request, alarm_id)


class CommentOnAlarm(AlarmAction):
    """Comment on an alarm."""

    serializer_class = CommentSerializer
    apply = staticmethod(actions.comment)

    @extend_schema(responses={200: DetailedAlarmSerializer, 409: NOT_POSSIBLE})
    def post(self, request: Request, alarm_id: UUID) -> Response:
        """Add a comment to an alarm in any state."""
        return self.perform(request, alarm_id)


class CloseAlarm(AlarmAction):
    """Closing of an alarm."""

    serializer_class = CloseSerializer
    apply = staticmethod(actions.close)

    @extend_schema(responses={200: DetailedAlarmSerializer, 409: NOT_POSSIBLE})
    def post(self, request: Request, alarm_id: UUID) -> Response:
        """Close an alarm with its cause and the corrective action; 409 while the condition is still active."""
        return self.perform(request, alarm_id)


def versioned(alarm: Alarm, detailed: Representation) -> Response:
    """Return the response with an alarm as `represent_detailed` returns it, and its ETag."""
    comments = sum(event["kind"] == AlarmEvent.Kind.COMMENTED for event in detailed["events"])
    return Response(detailed, headers={"ETag": etag_of_alarm(alarm, comments)})


def etag_of_alarm(alarm: Alarm, comment_count: int) -> str:
    """Return the ETag of what people act on: an alarm's state and severity, what was entered, and its comments."""
    return etag_of_values(
        (
            alarm.state,
            alarm.severity,
            alarm.ended_at,
            alarm.acknowledged_at,
            alarm.reviewed_at,
            alarm.closed_at,
            comment_count,
        )
    )


def _handled(alarm: Alarm) -> dict[str, object]:
    names = ("state", "severity", "acknowledged_by", "acknowledgement", "cause", "corrective_action", "closed_by")
    return {name: value for name in names if (value := getattr(alarm, name))}


class ExcursionList(RowListView):
    """Excursions of the caller's units."""

    needs = {"GET": access.VIEW_ALARMS}
    serializer_class = ExcursionSerializer
    rows = EXCURSION_ROWS

    @takes([ExcursionParams, PageParams], responses=page_of(ExcursionSerializer))
    def get(self, request: Request) -> Response:
        """List excursions that lie at least partly in the period, newest first."""
        return self.list_page()

    @override
    def get_rows(self) -> Rows:
        return excursion_values(self.get_queryset())

    @override
    def represent(self, rows: list[Row]) -> list[Representation]:
        return super().represent(counted_until_now(rows))

    @override
    def get_queryset(self) -> QuerySet[Excursion]:
        principal = principal_of(self.request)
        filters = _visible(ExcursionParams.parse(self.request), principal)
        seconds = filters.pop("min_duration_seconds", 0)
        min_duration = timedelta(seconds=seconds) if seconds else None
        return visible_excursions(principal.own_scope, ExcursionFilter(**filters, min_duration=min_duration))


def confirmed_signing(request: Request, signature: dict[str, str]) -> Signing:
    """Return the will to sign of the person who is signed in. Raise ValidationError for a token or a wrong password."""
    user = principal_of(request).user
    if user is None:
        raise ValidationError({"signature": ["Only people can sign. A token can't."]})
    try:
        confirm_password(request._request, user, signature["password"])
    except NotConfirmed as error:
        raise ValidationError({"signature": [str(error)]}) from error
    return signing_of(user, signature["meaning"])


def represent_detailed(alarm: Alarm, scope: Scope) -> Representation:
    """Return the alarm with events, signatures and the alarms visible to `scope` that it inhibits. Four queries."""
    (own,) = ALARM_ROWS.represent(alarm_values(Alarm.objects.filter(pk=alarm.pk)))
    inhibited = Alarm.objects.visible_to(scope).filter(suppressed_by=alarm).order_by("-started_at", "-pk")
    return own | {
        "events": EVENT_ROWS.represent(EVENT_ROWS.values(alarm.events.order_by("happened_at", "pk"))),
        "signatures": SIGNATURE_ROWS.represent(SIGNATURE_ROWS.values(AlarmSignature.objects.filter(alarm=alarm))),
        "suppressed_alarms": ALARM_ROWS.represent(alarm_values(inhibited)[:MAX_INHIBITED_ALARMS]),
    }


def _visible(filters: Params, principal: Principal) -> Params:
    """Return the filters. Raises Http404 if their facility or unit is not visible to the caller."""
    for name, model in (("facility_id", Facility), ("unit_id", StorageUnit)):
        if name in filters:
            rows = model.objects.visible_to(principal.scope).filter(public_id=filters[name])
            if not rows.exists():
                raise Http404
    return filters
