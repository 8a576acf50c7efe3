"""The REST API through which customers' systems push readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ParseError, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import Contradiction, TooLargeBody
from core.api.query_params import Parameters
from core.api.renderers import JSONRenderer
from core.api.schema import OF_CUSTOMER, PAGE, PERIOD, page_of
from customers.access.permissions import ADMIN, READ_AND_WRITE
from customers.access.principal import principal_of
from customers.api.row_lists import Shape, ShapedList
from customers.models import Customer
from ingestion.api.serializers import IngestionLogSerializer, PushedSerializer, ReadingCreateSerializer
from ingestion.loading.load import LoadRequest, log_failure
from ingestion.loading.push import Pushed, push
from ingestion.loading.push_body import PushedBody
from ingestion.models import Delivery, IngestionType
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import ParsedBatch, UnreadableBody
from readings.api.readings import ReadingsView
from readings.api.serializers import ReadingSerializer
from readings.lists.queries import stored_row
from readings.lists.representation import in_form
from readings.units.unit_refs import visible_unit_refs

CONTRADICTION = OpenApiResponse(
    {"$ref": "#/components/schemas/Error"}, "Another temperature is stored; this one is kept for review."
)
_PACKED = ("gzip", "x-gzip")


class ReadingsAndPushView(ReadingsView):
    """Readings of all units of the caller; a reading that is sent by itself is taken in."""

    needs = READ_AND_WRITE

    def get_renderers(self) -> list[BaseRenderer]:
        """Lists have formats of their own; what became of one reading is told in JSON."""
        if self.request.method == "POST":
            return [JSONRenderer(), BrowsableAPIRenderer()]
        return super().get_renderers()

    @extend_schema(
        request=ReadingCreateSerializer,
        parameters=[OpenApiParameter("format", exclude=True)],
        responses={
            (201, JSONRenderer.media_type): ReadingSerializer,
            (200, JSONRenderer.media_type): ReadingSerializer,
            (409, JSONRenderer.media_type): CONTRADICTION,
        },
    )
    def post(self, request: Request) -> Response:
        """Store one reading: 201; 200 where it is stored already, 409 where another temperature is."""
        principal = principal_of(request)
        sent = ReadingCreateSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        data: dict[str, Any] = sent.validated_data
        places = visible_unit_refs(principal.write_scope, public_id=data["storage_unit_id"], with_synthetic=True)
        if not places:
            raise NotFound("There is no such storage unit.")
        batch: ParsedBatch = data["batch"]
        pushed = push(principal.write_scope, [batch], own_customer_id=principal.customer_id, received_at=timezone.now())
        _refuse(pushed)
        [unit_id] = places
        row = stored_row(unit_id, batch.readings["sensor_code"][0], data["recorded_at"])
        return Response(
            in_form([row] if row else [], places)[0],
            status=status.HTTP_201_CREATED if pushed.stored else status.HTTP_200_OK,
        )


def _refuse(pushed: Pushed) -> None:
    """Raise what keeps a single reading from being stored; what is to be kept of it is committed by now."""
    if pushed.conflicts:
        raise Contradiction("Another temperature is stored for this unit, sensor and time; yours is kept for review.")
    if pushed.errors:
        raise ValidationError({"detail": pushed.errors[0].message})


class WholeBodyParser(BaseParser):
    """The bytes of a body of any type, up to the limit of a bulk push."""

    media_type = "*/*"

    def parse(  # type: ignore[override]  # DRF takes any value
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> bytes:
        data: bytes = stream.read(settings.BULK_MAX_BYTES + 1)
        if len(data) > settings.BULK_MAX_BYTES:
            raise TooLargeBody(f"The body is longer than {settings.BULK_MAX_BYTES:,} bytes; send it in parts.")
        return data


class BulkPushView(APIView):
    """Readings in bulk: a JSON array, NDJSON or CSV, packed with gzip or not."""

    needs = {"POST": READ_AND_WRITE["POST"]}
    parser_classes = [WholeBodyParser]
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer]

    @extend_schema(
        request={
            "application/json": ReadingCreateSerializer(many=True),
            "application/x-ndjson": OpenApiTypes.STR,
            "text/csv": OpenApiTypes.STR,
        },
        responses=PushedSerializer,
    )
    def post(self, request: Request) -> Response:
        """Store what can be stored, and tell of each other row why not. Committed before the answer."""
        principal, received_at = principal_of(request), timezone.now()
        body = _pushed_body(request)
        try:
            batches = body.batches(received_at)
        except UnreadableBody as error:
            _log_failure(principal.customer_id, body, error)
            raise (TooLargeBody if error.reason is Reason.TOO_LARGE else ParseError)(error.message) from error
        pushed = push(
            principal.write_scope,
            batches,
            own_customer_id=principal.customer_id,
            received_at=received_at,
            size_bytes=len(body.data),
        )
        return Response(PushedSerializer(pushed).data)


def _pushed_body(request: Request) -> PushedBody:
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", *_PACKED):
        raise ParseError("A body may be packed with gzip only.")
    # Nothing was sent: there is no stream, and the parser is not asked.
    data = request.data if isinstance(request.data, bytes) else b""
    return PushedBody(data, request.content_type or "", encoding in _PACKED, settings.BULK_MAX_BYTES)


def _log_failure(customer_id: int | None, body: PushedBody, error: UnreadableBody) -> None:
    """Show an unreadable push among the customer's deliveries, as an unreadable poll is."""
    customer = Customer.objects.filter(pk=customer_id).first() if customer_id else None
    if customer is not None:
        load_request = LoadRequest(customer=customer, ingestion_type=IngestionType.PUSH, size_bytes=len(body.data))
        log_failure(load_request, error.reason, error.message)


STATUS = OpenApiParameter("status", enum=Delivery.Status.values, description="Only deliveries that ended so.")


class IngestionLogs(ShapedList, GenericAPIView[Delivery]):
    """Every delivery, newest first."""

    needs = {"GET": ADMIN["GET"]}
    serializer_class = IngestionLogSerializer
    shape = Shape(IngestionLogSerializer)

    @extend_schema(parameters=[OF_CUSTOMER, STATUS, *PERIOD, *PAGE], responses=page_of(IngestionLogSerializer))
    def get(self, request: Request) -> Response:
        return super().get(request)

    def get_queryset(self) -> Any:
        parameters = Parameters.of(self.request)
        start, end = parameters.period()
        wanted = {
            "customer__public_id": parameters.public_id("customer_id"),
            "status": parameters.choice("status", ["", *Delivery.Status.values], "") or None,
            "started_at__gte": start,
            "started_at__lte": end,
        }
        deliveries = Delivery.objects.visible_to(principal_of(self.request).scope)
        return deliveries.filter(**{name: value for name, value in wanted.items() if value is not None}).annotate(
            records_failed=F("records_rejected") + F("records_conflicting")
        )
