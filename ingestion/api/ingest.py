"""REST API views of pushes to a source: any body that a poll can read, and the tokens for sending it."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import Conflict, TooLargeBody, Unavailable
from core.api.fields import AnyField, labelled_choices
from core.api.query_params import QueryParams, TextParam, takes
from core.api.renderers import CSVRenderer, JSONRenderer, NDJSONRenderer
from customers.access import actions
from customers.access.actions import Permission
from customers.access.grant_token import grant_token
from customers.access.lookup import get_addressed
from customers.access.permissions import Needs
from customers.access.principal import principal_of
from customers.access.submissions import once
from customers.access.tokens import with_details
from customers.api.serializers import NewTokenSerializer
from customers.api.views import etag_of_token
from customers.models import ApiToken
from ingestion.api.serializers import PushErrorSerializer
from ingestion.api.views import WholeBodyParser, content_encoding_of
from ingestion.loading.push import PushTooSlow
from ingestion.loading.source_push import SOURCE_SETTINGS, PushFailed, PushOutcome, SentBody, load_pushed, log_failed
from ingestion.models import Delivery, Source
from ingestion.parsing.rejection_reasons import Reason


class IngestParams(QueryParams):
    """What a body itself may not tell."""

    unit = TextParam(help_text="The code of the unit of rows without one.")


class IngestedSerializer(serializers.Serializer[PushOutcome]):
    """The outcome of a push: each received row is stored, a duplicate, a conflict or rejected.

    Rejected rows are kept for review; `errors` lists at most 1,000 of them.
    """

    delivery_id = serializers.UUIDField(source="delivery.public_id")
    status = serializers.ChoiceField(labelled_choices(Delivery.Status), source="delivery.status")
    is_repeated = serializers.BooleanField(
        help_text="The same body was loaded before; this is the outcome of that time, and nothing was loaded again."
    )
    received = serializers.IntegerField(source="delivery.records_processed")
    stored = serializers.IntegerField(source="delivery.records_stored")
    duplicates = serializers.IntegerField(source="delivery.records_duplicate")
    conflicts = serializers.IntegerField(source="delivery.records_conflicting")
    rejected = serializers.IntegerField(source="delivery.records_rejected")
    message = serializers.CharField(source="delivery.error_message", help_text="Why the status is `partial`.")
    notes = serializers.ListField(
        source="delivery.notes",
        child=serializers.CharField(),
        help_text="How the data was understood: what was assumed, passed over or looks suspicious.",
    )
    errors = PushErrorSerializer(many=True)  # type: ignore[assignment]  # a field of this name hides a property


def _refuse_unready(source: Source) -> None:
    if source.is_paused:
        raise Conflict("The source is paused. Resume it, and send the readings again.")
    if source.broker_url:
        raise Conflict("This source subscribes to a broker. Create another source for pushes.")
    if source.is_polled:
        raise Conflict("This source is polled. Create a source without a URL for pushes.")


class IngestView(APIView):
    """A push to a source."""

    creates_once = True
    needs: Needs = {"POST": actions.PUSH_TO_SOURCE}
    parser_classes = [WholeBodyParser]
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer]

    @takes(
        [IngestParams],
        request={
            JSONRenderer.media_type: OpenApiTypes.OBJECT,
            NDJSONRenderer.media_type: OpenApiTypes.STR,
            CSVRenderer.media_type: OpenApiTypes.STR,
            "application/octet-stream": OpenApiTypes.BINARY,
        },
        responses={200: IngestedSerializer, 409: {"$ref": "#/components/schemas/Error"}},
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Store the readings of a body of any shape that a poll can read: JSON, CSV, XLSX or ZIP, also with gzip.

        It is read with the source's field mapping. A body that was stored completely before is not loaded again, unless
        its readings have no time: then send an `Idempotency-Key` with each request.
        """
        limit = principal_of(request).source_public_id
        if limit is not None and limit != public_id:
            raise Http404
        source: Source = get_addressed(Source, request, public_id, "customer")
        _refuse_unready(source)
        content_encoding_of(request)
        data = request.data if isinstance(request.data, bytes) else b""
        body = SentBody(
            data=data,
            content_type=request.content_type or "",
            received_at=timezone.now(),
            default_unit=IngestParams.parse(request).get("unit") or "",
        )
        try:
            with once(request):
                outcome = load_pushed(source, body)
        except PushFailed as failed:
            log_failed(source, body, failed)
            raise _error(failed) from failed
        except PushTooSlow as error:
            raise Unavailable(str(error)) from error
        return Response(IngestedSerializer(outcome).data)


def _error(failed: PushFailed) -> APIException:
    if failed.reason == SOURCE_SETTINGS:
        return Conflict(failed.message)
    return (TooLargeBody if failed.reason == Reason.TOO_LARGE else ParseError)(failed.message)


class SourceTokenSerializer(NewTokenSerializer):
    """A token that may push to one source, and do nothing else."""

    def get_fields(self) -> dict[str, AnyField]:
        """Leave out what such a token has anyway."""
        fields = super().get_fields()
        del fields["accessible_units"]
        fields["permissions"].read_only = True
        return fields


class SourceTokens(GenericAPIView[ApiToken]):
    """Tokens of a source."""

    creates_once = True
    needs: Needs = {"POST": actions.CREATE_SOURCE_TOKENS}
    serializer_class = SourceTokenSerializer
    queryset = ApiToken.objects.none()

    @extend_schema(responses={201: SourceTokenSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Create a token that may only push to this source, and return its text once. Revoke it like any other."""
        source = get_addressed(Source, request, public_id, "customer")
        serializer = self.get_serializer(data=request.data)
        with once(request):
            serializer.is_valid(raise_exception=True)
            token, text = grant_token(
                principal_of(request),
                source.customer,
                permissions=[Permission.WRITE],
                source_public_id=source.public_id,
                **serializer.validated_data,
            )
            etag = etag_of_token(token)
        created = with_details(ApiToken.objects.filter(pk=token.pk), timezone.now()).get()
        created.token = text
        return Response(self.get_serializer(created).data, status.HTTP_201_CREATED, headers={"ETag": etag})
