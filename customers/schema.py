"""Parameters of the API as OpenAPI tells them, for all rooms. How they are read is in `customers.parameters`."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

CUSTOMER_ID = OpenApiParameter(
    "customer_id", OpenApiTypes.UUID, description="Whose; needed from who belongs to no single customer."
)
OF_CUSTOMER = OpenApiParameter("customer_id", OpenApiTypes.UUID, description="Only this customer's.")
FACILITY_ID = OpenApiParameter("facility_id", OpenApiTypes.UUID, description="Only this facility's.")
UNIT_ID = OpenApiParameter("unit_id", OpenApiTypes.UUID, description="Only this storage unit's.")
START_DATE = OpenApiParameter(
    "start_date", OpenApiTypes.STR, description="From this ISO 8601 time on; without an offset it is UTC."
)
END_DATE = OpenApiParameter(
    "end_date", OpenApiTypes.STR, description="Up to this ISO 8601 time; a bare date is included."
)
PERIOD = [START_DATE, END_DATE]
TEMPERATURE_UNIT = OpenApiParameter(
    "temperature_unit", enum=["C", "F", "K"], default="C", description="The scale of the answer's temperatures."
)
