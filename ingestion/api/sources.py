"""REST API views of sources, with the permissions of their pages.

Whoever may read a customer sees its sources; operators poll them now, and managers create, change, test, pause and
resume them. Which addresses a source may request is up to `core.http.guarded_http`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Model, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from typing_extensions import override

from core.api.errors import Conflict
from core.api.fields import KnownFieldsMixin, Values, reason_field
from core.api.lists import page_of
from core.api.pagination import PageParams
from core.api.query_params import takes
from core.api.versions import VersionedView, etag_of, etag_of_new
from customers.access import actions
from customers.access.lookup import OwnCustomerParams, get_addressed, own_customer
from customers.access.permissions import Needs
from customers.access.principal import principal_of
from customers.access.submissions import once
from ingestion.api.source_serializers import SourceSerializer, TrialSerializer
from ingestion.models import Source
from ingestion.polling import claims
from ingestion.polling.trial import try_source
from ingestion.selectors import with_state

if TYPE_CHECKING:
    from ingestion.selectors import StatefulSource


def _representation(source: Source) -> Values:
    sources = with_state(Source.objects.filter(pk=source.pk), timezone.now()).select_related("customer")
    return dict(SourceSerializer(sources.get()).data)


class SourceList(GenericAPIView[Source]):
    """Sources of the caller."""

    creates_once = True
    needs: Needs = {"GET": actions.VIEW_SOURCES, "POST": actions.ADD_SOURCES}
    serializer_class = SourceSerializer

    @override
    def get_queryset(self) -> QuerySet[StatefulSource]:
        sources = Source.objects.visible_to(principal_of(self.request).own_scope)
        return (
            with_state(sources, timezone.now()).select_related("customer").order_by("customer__customer_code", "name")
        )

    @takes([PageParams], responses=page_of(SourceSerializer))
    def get(self, request: Request) -> Response:
        """List the caller's sources with their state."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @takes([OwnCustomerParams], responses={201: SourceSerializer})
    def post(self, request: Request) -> Response:
        """Create a source. It is polled from now on if it has a URL."""
        customer = own_customer(request)
        serializer = self.get_serializer(data=request.data)
        with once(request):
            serializer.is_valid(raise_exception=True)
            source = serializer.save(customer=customer)
            etag = etag_of_new(source, SourceSerializer)
        return Response(_representation(source), status.HTTP_201_CREATED, headers={"ETag": etag})


class SourceDetail(VersionedView[Source]):
    """A source."""

    needs: Needs = {
        "GET": actions.VIEW_SOURCES,
        "PUT": actions.CHANGE_SOURCES,
        "PATCH": actions.CHANGE_SOURCES,
    }
    serializer_class = SourceSerializer

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return a source."""
        source = get_addressed(Source, request, public_id)
        return self.versioned(source, _representation(source))

    @extend_schema(request=SourceSerializer(partial=True))
    def put(self, request: Request, public_id: UUID) -> Response:
        """Update a source. Any subset of the fields is accepted; PUT and PATCH behave alike."""
        source = get_addressed(Source, request, public_id, "customer")
        with self.changing(request, source) as serializer:
            serializer.save()
            claims.apply_changes(source, serializer.validated_data.keys())
        source.refresh_from_db()
        return self.versioned(source, _representation(source))

    patch = put


class TestSource(APIView):
    """A trial of a source."""

    needs: Needs = {"POST": actions.CHANGE_SOURCES}

    @extend_schema(request=None, responses=TrialSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Send the source's request and parse the response, without storing anything."""
        source = get_addressed(Source, request, public_id, "customer")
        return Response(TrialSerializer(try_source(source)).data)


class ReasonSerializer(KnownFieldsMixin, serializers.Serializer[Source]):
    """Why a source is acted on."""

    reason = reason_field()


class SourceAction(VersionedView[Source]):
    """An action on a source; the body of its request may state the reason."""

    serializer_class = ReasonSerializer

    @contextmanager
    def acting_on(self, request: Request, public_id: UUID) -> Iterator[Source]:
        """Yield the locked source. Raise Http404, ChangedMeanwhile, or ValidationError for a body with other fields."""
        source = get_addressed(Source, request, public_id)
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        with self.locking(request, source) as locked:
            yield locked

    @override
    def etag(self, row: Model) -> str:
        return etag_of(row, SourceSerializer)


class PollSource(SourceAction):
    """A poll now."""

    needs: Needs = {"POST": actions.POLL_SOURCES}

    @extend_schema(responses={200: SourceSerializer, 409: {"$ref": "#/components/schemas/Error"}})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Poll a source now instead of at its next slot; it starts within seconds. For operators."""
        with self.acting_on(request, public_id) as source:
            if not claims.poll_now(Source.objects.filter(pk=source.pk)):
                raise Conflict(claims.why_not_polled(source))
        return self.versioned(source, _representation(source))


class PauseSource(SourceAction):
    """A pause of a source."""

    needs: Needs = {"POST": actions.CHANGE_SOURCES}
    change = staticmethod(claims.pause)

    @extend_schema(responses=SourceSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Pause a source until it is resumed. For managers."""
        with self.acting_on(request, public_id) as source:
            self.change(Source.objects.filter(pk=source.pk))
        source.refresh_from_db()
        return self.versioned(source, _representation(source))


class ResumeSource(PauseSource):
    """The end of a source's pause."""

    change = staticmethod(claims.resume)

    @extend_schema(responses=SourceSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Resume a paused source; it is polled at once. For managers."""
        return super().post(request, public_id)
