"""Query parameters of readings and statistics."""

from __future__ import annotations

import sys

from django.db.models import TextChoices
from typing_extensions import override

from core.api.errors import InvalidQuery
from core.api.pagination import MAX_LIMIT
from core.api.query_params import (
    ChoiceParam,
    FacilityUnitParams,
    NumberParam,
    Params,
    PeriodParams,
    QueryParams,
    TextParam,
    WholeNumberParam,
)
from readings.series.downsample import MAX_POINTS
from readings.statistics.aggregates import GroupBy
from readings.units.scales import Scale, to_celsius

DEFAULT_LATEST_LIMIT = 20
# The default period of a trend in days, by its interval.
TREND_DAYS = {GroupBy.HOUR: 1, GroupBy.DAY: 7, GroupBy.WEEK: 30, GroupBy.MONTH: 365}


class TemperatureUnitParams(QueryParams):
    """`temperature_unit`, as `scale`."""

    temperature_unit = ChoiceParam(
        Scale, source="scale", default=Scale.CELSIUS, help_text="Scale of the temperatures in the response."
    )


class StatisticsParams(PeriodParams, TemperatureUnitParams):
    """Period and scale of statistics."""


class UnitStatisticsParams(StatisticsParams, FacilityUnitParams):
    """Period, scale, facility and unit of statistics."""


class TrendParams(UnitStatisticsParams):
    """Interval, period, scale, facility and unit of a trend."""

    interval = ChoiceParam(TREND_DAYS, default=GroupBy.DAY, help_text="Interval by which readings are grouped.")


class SeriesParams(StatisticsParams):
    """Period, scale and resolution of a temperature series."""

    points = WholeNumberParam(
        min_value=1, max_value=MAX_POINTS, default=MAX_POINTS, help_text="Maximum number of buckets."
    )


class ReadingFilterParams(PeriodParams):
    """Filters of lists of readings, as the arguments of `ReadingFilter`."""

    min_temperature = NumberParam(source="min_c", help_text="Lowest temperature, in `temperature_unit`.")
    max_temperature = NumberParam(source="max_c", help_text="Highest temperature, in `temperature_unit`.")
    temperature_unit = ChoiceParam(
        Scale,
        source="scale",
        default=Scale.CELSIUS,
        help_text="Scale of `min_temperature` and `max_temperature`. Readings keep the scale they were reported in.",
    )
    equipment_status = TextParam(trim_whitespace=True, help_text="Reported status, such as normal, warning or error.")
    quality_score = NumberParam(min_value=0, max_value=1, help_text="Exact quality score.")
    min_quality_score = NumberParam(min_value=0, max_value=1, help_text="Lowest quality score.")
    sensor_id = TextParam(source="sensor", help_text="Code of the sensor.")

    @override
    def check(self, params: Params) -> None:
        super().check(params)
        scale = params.pop("scale")
        if "min_c" in params and "max_c" in params and params["max_c"] < params["min_c"]:
            raise InvalidQuery("max_temperature", "must not be below min_temperature.")
        for name in ("min_c", "max_c"):
            if name in params:
                # What is no finite number in °C is beyond every reading, and could not be written to the audit trail.
                params[name] = min(max(to_celsius(params[name], scale), -sys.float_info.max), sys.float_info.max)
        if "equipment_status" in params:
            params["equipment_status"] = params["equipment_status"].lower()


class CursorParams(QueryParams):
    """`cursor`, of lists of readings."""

    cursor = TextParam(help_text="Start of the page, as in `next` and `previous`. Excludes `offset`.")


class Format(TextChoices):
    """The formats of lists of readings."""

    JSON = "json", "JSON"
    CSV = "csv", "CSV"
    NDJSON = "ndjson", "JSON on a line for each reading"


class FormatParams(QueryParams):
    """`format`; documentation only, since content negotiation reads it."""

    format = ChoiceParam(Format, help_text="Format of the response; overrides the Accept header.")


class LatestParams(QueryParams):
    """`limit` of the latest readings."""

    limit = WholeNumberParam(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LATEST_LIMIT, help_text="Maximum number of readings."
    )
