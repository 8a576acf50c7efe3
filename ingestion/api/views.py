"""REST API views through which customers' systems push readings, and of the ingestion log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, ParseError, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from typing_extensions import override

from core.api.errors import Conflict, TooLargeBody, Unavailable
from core.api.lists import RowListView, page_of
from core.api.pagination import PageParams
from core.api.query_params import ChoiceParam, CustomerFilterParams, PeriodParams, QueryParams, takes
from core.api.renderers import CSVRenderer, JSONRenderer, NDJSONRenderer
from core.api.serializer_rows import SerializerRows
from customers.access import actions
from customers.access.principal import principal_of
from customers.models import Customer
from ingestion.api.serializers import IngestionLogSerializer, PushedSerializer, ReadingCreateSerializer
from ingestion.loading.load import LoadRequest, log_failure
from ingestion.loading.push import PushResult, PushTooSlow, push
from ingestion.loading.push_body import MAX_ROWS, PushedBody
from ingestion.models import Delivery, IngestionType
from ingestion.parsing.body.compression import GZIP_ENCODINGS
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import ParsedBatch, UnreadableBody
from readings.lists.queries import stored_row
from readings.lists.representation import ReadingSerializer, to_representation
from readings.units.unit_refs import visible_unit_ref

CONFLICT = OpenApiResponse(
    {"$ref": "#/components/schemas/Error"},
    "Another temperature is stored for this unit, sensor and time; this one is kept for review.",
)


class PushView(APIView):
    """Push of a single reading."""

    needs = {"POST": actions.PUSH_READINGS}
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer]

    @takes(
        [OpenApiParameter("format", exclude=True)],
        request=ReadingCreateSerializer,
        responses={
            (201, JSONRenderer.media_type): ReadingSerializer,
            (200, JSONRenderer.media_type): ReadingSerializer,
            (409, JSONRenderer.media_type): CONFLICT,
        },
    )
    def post(self, request: Request) -> Response:
        """Store a reading: 201 if it is new, 200 if it is already stored, 409 if it contradicts a stored reading."""
        principal = principal_of(request)
        serializer = ReadingCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        reading = serializer.validated_data
        units = visible_unit_ref(principal.scope, reading["storage_unit_id"])
        if not units:
            raise NotFound("Storage unit not found.")
        batch: ParsedBatch = reading["batch"]
        try:
            pushed = push(principal.scope, [batch], own_customer_id=principal.customer_id, received_at=timezone.now())
        except PushTooSlow as error:
            raise Unavailable(str(error)) from error
        _raise_if_rejected(pushed)
        [unit_id] = units
        row = stored_row(unit_id, batch.readings["sensor_code"][0], reading["recorded_at"])
        if row is None:
            raise Unavailable("The stored reading was withdrawn meanwhile with its import. Send it again.")
        return Response(
            to_representation([row], units)[0],
            status=status.HTTP_201_CREATED if pushed.stored else status.HTTP_200_OK,
        )


def _raise_if_rejected(pushed: PushResult) -> None:
    """Raise an error if the reading was not stored. A conflict has been recorded and committed by now."""
    if pushed.conflicts:
        raise Conflict("Another temperature is stored for this unit, sensor and time; this one is kept for review.")
    if pushed.errors:
        raise ValidationError({"detail": pushed.errors[0].message})


class WholeBodyParser(BaseParser):
    """The bytes of a body of any type, up to the size limit of bulk pushes."""

    media_type = "*/*"

    @override
    def parse(  # type: ignore[override]  # a body need not be a mapping
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> bytes:
        data = stream.read(settings.BULK_MAX_BYTES + 1)
        if len(data) > settings.BULK_MAX_BYTES:
            raise TooLargeBody(_too_large(f"it is longer than {settings.BULK_MAX_BYTES:,} bytes"))
        return data


def _too_large(why: str) -> str:
    limits = f"{MAX_ROWS:,} rows and {settings.BULK_MAX_BYTES:,} bytes"
    return f"The body is too large: {why}. Send it in smaller pushes, of at most {limits} each."


class BulkPushParams(QueryParams):
    """What the rows themselves cannot tell."""

    accept_old_readings = serializers.BooleanField(
        default=False,
        help_text="Store rows from years ago, which are rejected otherwise: the device's clock may have been reset.",
    )


class BulkPushView(APIView):
    """Push of many readings."""

    needs = {"POST": actions.PUSH_READINGS}
    parser_classes = [WholeBodyParser]
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer]

    @takes(
        [BulkPushParams],
        request={
            JSONRenderer.media_type: ReadingCreateSerializer(many=True),
            NDJSONRenderer.media_type: OpenApiTypes.STR,
            CSVRenderer.media_type: OpenApiTypes.STR,
        },
        responses=PushedSerializer,
    )
    def post(self, request: Request) -> Response:
        """Store readings from a JSON array, NDJSON or CSV, optionally compressed with gzip.

        Valid rows are stored before the response, which lists the rejected rows with the reasons.
        """
        principal, received_at = principal_of(request), timezone.now()
        body = _pushed_body(request)
        try:
            pushed = push(
                principal.scope,
                body.batches(received_at),
                own_customer_id=principal.customer_id,
                received_at=received_at,
                size_bytes=len(body.data),
            )
        except UnreadableBody as error:
            _log_failure(principal.customer_id, body, error)
            if error.reason is Reason.TOO_LARGE:
                raise TooLargeBody(_too_large(error.why)) from error
            raise ParseError(error.message) from error
        except PushTooSlow as error:
            raise Unavailable(str(error)) from error
        return Response(PushedSerializer(pushed).data)


def _pushed_body(request: Request) -> PushedBody:
    encoding = content_encoding_of(request)
    # Without a body there is no stream, and the parser is not called.
    data = request.data if isinstance(request.data, bytes) else b""
    return PushedBody(
        data,
        request.content_type or "",
        encoding in GZIP_ENCODINGS,
        settings.BULK_MAX_BYTES,
        accepts_old_readings=bool(BulkPushParams.parse(request)["accept_old_readings"]),
    )


def content_encoding_of(request: Request) -> str:
    """Return how the body is compressed, by gzip if at all. Raise ParseError for other encodings."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", *GZIP_ENCODINGS):
        raise ParseError("Unsupported Content-Encoding. Use gzip or none.")
    return encoding


def _log_failure(customer_id: int | None, body: PushedBody, error: UnreadableBody) -> None:
    """Log an unreadable push among the customer's deliveries, like an unreadable poll."""
    customer = Customer.objects.filter(pk=customer_id).first() if customer_id else None
    if customer is not None:
        load_request = LoadRequest(customer=customer, ingestion_type=IngestionType.PUSH, size_bytes=len(body.data))
        log_failure(load_request, error.reason, error.message)


class LogParams(CustomerFilterParams, PeriodParams):
    """Filters of the ingestion log."""

    status = ChoiceParam(Delivery.Status, help_text="Only deliveries with this outcome.")


class IngestionLogs(RowListView):
    """The ingestion log."""

    needs = {"GET": actions.VIEW_DELIVERIES}
    serializer_class = IngestionLogSerializer
    rows = SerializerRows(IngestionLogSerializer)

    @takes([LogParams, PageParams], responses=page_of(IngestionLogSerializer))
    def get(self, request: Request) -> Response:
        """List the deliveries of every customer, newest first."""
        return self.list_page()

    @override
    def get_queryset(self) -> QuerySet[Delivery]:
        params = LogParams.parse(self.request)
        lookups = {
            "customer__public_id": params.get("customer_id"),
            "status": params.get("status"),
            "started_at__gte": params.get("start"),
            "started_at__lte": params.get("end"),
        }
        deliveries: QuerySet[Delivery] = Delivery.objects.visible_to(principal_of(self.request).scope)
        return deliveries.filter(**{name: value for name, value in lookups.items() if value is not None}).annotate(
            records_failed=F("records_rejected") + F("records_conflicting")
        )
