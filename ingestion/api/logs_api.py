"""The REST API's view of what arrived: the log of polls, pushes and imports."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.query_params import Parameters
from core.api.schema import OF_CUSTOMER, PAGE, PERIOD, page_of
from customers.access.permissions import ADMIN
from customers.access.principal import caller_of
from customers.api.row_lists import Shape, ShapedList
from ingestion.api.log_serializers import IngestionLogSerializer
from ingestion.models import Delivery

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
        deliveries = Delivery.objects.within(caller_of(self.request).scope)
        return deliveries.filter(**{name: value for name, value in wanted.items() if value is not None}).annotate(
            records_failed=F("records_rejected") + F("records_conflicting")
        )
