"""Lists of readings as OpenAPI tells them: their filters and their formats."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from core.api.pagination import MAX_LIMIT
from core.api.renderers import CSVRenderer, JSONRenderer, NDJSONRenderer
from core.api.schema import PERIOD, TEMPERATURE_UNIT, page_of
from readings.api.serializers import ReadingSerializer

DEFAULT_LATEST = 20
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
FILTERS = [
    *PERIOD,
    OpenApiParameter("min_temperature", OpenApiTypes.FLOAT, description="In `temperature_unit`."),
    OpenApiParameter("max_temperature", OpenApiTypes.FLOAT, description="In `temperature_unit`."),
    TEMPERATURE_UNIT,
    OpenApiParameter("equipment_status", description="Such as normal, warning or error."),
    OpenApiParameter("quality_score", _SHARE, description="Exactly this."),
    OpenApiParameter("min_quality_score", _SHARE, description="This or better."),
    OpenApiParameter("sensor_id", description="Of the sensor with this code."),
    OpenApiParameter("format", enum=["json", "csv", "ndjson"], description="Instead of the Accept header."),
]
CURSOR = OpenApiParameter("cursor", description="As `next` and `previous` have it: where the page begins.")
LATEST_LIMIT = OpenApiParameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LATEST}
)


def _in_formats(in_json: Any) -> dict[Any, Any]:
    return {
        (200, JSONRenderer.media_type): in_json,
        (200, CSVRenderer.media_type): OpenApiTypes.STR,
        (200, NDJSONRenderer.media_type): OpenApiTypes.STR,
    }


LISTED = _in_formats(page_of(ReadingSerializer))
LATEST = _in_formats(ReadingSerializer(many=True))
