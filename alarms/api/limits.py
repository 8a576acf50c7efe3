"""REST API views of limit profiles and of the limits of storage units."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import override

from alarms.api.serializers import LimitPreviewSerializer, LimitProfileSerializer, UnitLimitsSerializer
from alarms.excursions.what_if import preview_backdated
from alarms.limits.profiles import limits_choice, lock_unit
from alarms.limits.versions import limits_of
from alarms.models import LimitProfile, UnitLimits
from core.api.lists import RowListView, page_of
from core.api.pagination import PageParams
from core.api.query_params import takes
from core.api.serializer_rows import SerializerRows
from core.api.versions import VersionedView
from customers.access import actions
from customers.access.lookup import get_addressed
from customers.models import StorageUnit
from readings.units.scales import Scale


class LimitProfileList(RowListView):
    """Limit profiles, which are shared by all customers."""

    needs = {"GET": actions.VIEW_LIMITS}
    serializer_class = LimitProfileSerializer
    rows = SerializerRows(LimitProfileSerializer)

    @takes([PageParams], responses=page_of(LimitProfileSerializer))
    def get(self, request: Request) -> Response:
        """List the limit profiles, which are the same for every customer."""
        return self.list_page()

    @override
    def get_queryset(self) -> QuerySet[LimitProfile]:
        return LimitProfile.objects.order_by("name")


class UnitLimitsView(VersionedView[UnitLimits]):
    """The limits of a storage unit."""

    needs = {"GET": actions.VIEW_LIMITS, "PUT": actions.CHANGE_LIMITS}
    serializer_class = UnitLimitsSerializer

    def get(self, request: Request, unit_id: UUID) -> Response:
        """Return the limits of a storage unit: those chosen for it, and those in force."""
        choice = limits_choice(get_addressed(StorageUnit, request, unit_id))
        return self.versioned(choice, self.get_serializer(choice).data)

    @extend_schema(request=UnitLimitsSerializer(partial=True))
    def put(self, request: Request, unit_id: UUID) -> Response:
        """Assign a profile to the unit, or limits of its own. They are in force from now on.

        All fields are optional. Only managers of the customer may change limits.
        """
        unit: StorageUnit = get_addressed(StorageUnit, request, unit_id, "facility")
        with self.changing(request, limits_choice(unit)) as serializer:
            serializer.save()
        choice = limits_choice(unit)
        return self.versioned(choice, self.get_serializer(choice).data)

    @override
    def lock(self, row: UnitLimits) -> UnitLimits:
        """Lock the unit, since a unit whose limits nobody has chosen has no row of its own for them."""
        return limits_choice(lock_unit(row.storage_unit_id))


class UnitLimitsPreview(GenericAPIView[UnitLimits]):
    """What backdated limits would change."""

    needs = {"POST": actions.CHANGE_LIMITS}
    serializer_class = UnitLimitsSerializer

    @extend_schema(request=UnitLimitsSerializer(partial=True), responses=LimitPreviewSerializer)
    def post(self, request: Request, unit_id: UUID) -> Response:
        """Return which excursions of the last 90 days backdated limits would add, remove and keep.

        The body is that of PUT, with `applies_from` and `reason`. Nothing is saved.
        """
        unit: StorageUnit = get_addressed(StorageUnit, request, unit_id, "facility")
        serializer = UnitLimitsSerializer(limits_choice(unit), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        choice, now = serializer.choice(), timezone.now()
        replay = preview_backdated(unit, limits_of(choice), choice.applies_from or now, now)
        context = {"scale": Scale(unit.temperature_unit)}
        return Response(LimitPreviewSerializer(replay, context=context).data)
