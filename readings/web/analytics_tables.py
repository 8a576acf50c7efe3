"""The statistics of the analytics pages as tables and chart data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from readings.statistics.analytics import Period, Summary
from readings.statistics.totals import Bucket
from readings.units.formatting import deviation_text, difference_label, share_text, temperature_text
from readings.units.scales import Scale, difference_from_kelvin, from_celsius

# More digits would not be visible in a chart.
_CHART_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table; `address` links to its subject, "" for none."""

    name: str
    cells: list[str]
    address: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table and the chart of the same values, see static/site/analytics_chart.js. `note`: what it leaves out."""

    caption: str
    first_column: str
    columns: list[str]
    rows: list[TableRow]
    chart: dict[str, object]
    note: str = ""


Named = Mapping[str, Summary]


def trend(named: Named, scale: Scale, first_column: str) -> Table:
    """Return the table of temperatures by period."""
    columns = ["Minimum", "Average", "Maximum", "Time-weighted mean", "Mean kinetic temperature", "Readings"]
    rows = [
        TableRow(
            name,
            [
                _text(each.totals.min_c, scale),
                _text(each.totals.average_c, scale),
                _text(each.totals.max_c, scale),
                _text(each.totals.mean_c, scale),
                _text(each.totals.mkt_c, scale),
                f"{each.totals.reading_count:,}",
            ],
        )
        for name, each in named.items()
    ]
    chart = _chart("band", named, scale.label) | {
        # The time-weighted mean includes the measurement valid at the beginning, which may lie outside the band.
        "middle": [_scaled(each.totals.average_c, scale) for each in named.values()],
        "middle_name": "Average",
        "low": [_scaled(each.totals.min_c, scale) for each in named.values()],
        "high": [_scaled(each.totals.max_c, scale) for each in named.values()],
    }
    return Table("Temperatures", first_column, columns, rows, chart)


def deviation(named: Named, scale: Scale, first_column: str) -> Table:
    """Return the table of deviations from the set temperature by period."""
    rows = [TableRow(name, [*_deviations(each, scale), share_text(each.coverage)]) for name, each in named.items()]
    columns = ["Mean deviation", "Lowest deviation", "Highest deviation", "Coverage"]
    return Table(
        "Deviation from the set temperature", first_column, columns, rows, _deviation_chart("band", named, scale)
    )


def comparison(named: Named, scale: Scale, addresses: Mapping[str, str], first_column: str) -> Table:
    """Return the table that compares facilities or units."""
    columns = [
        "Mean deviation",
        "Lowest deviation",
        "Highest deviation",
        "Time-weighted mean",
        "MKT",
        "Coverage",
        "Good quality",
    ]
    rows = [
        TableRow(
            name,
            [
                *_deviations(each, scale),
                _text(each.totals.mean_c, scale),
                _text(each.totals.mkt_c, scale),
                share_text(each.coverage),
                share_text(each.good_share),
            ],
            addresses.get(name, ""),
        )
        for name, each in named.items()
    ]
    return Table("Comparison", first_column, columns, rows, _deviation_chart("bars", named, scale))


def quality(named: Named, first_column: str) -> Table:
    """Return the table of coverage and data quality by period."""
    columns = ["Coverage", "Good quality", "Readings", "Sensor faults", "Warnings", "Errors"]
    rows = [
        TableRow(
            name,
            [
                share_text(each.coverage),
                share_text(each.good_share),
                f"{each.totals.reading_count:,}",
                f"{each.totals.fault_count:,}",
                f"{each.totals.warning_count:,}",
                f"{each.totals.error_count:,}",
            ],
        )
        for name, each in named.items()
    ]
    chart = _chart("shares", named, "%") | {
        "lines": [
            {"name": "Coverage", "values": [_percentage(each.coverage) for each in named.values()]},
            {"name": "Good quality", "values": [_percentage(each.good_share) for each in named.values()]},
        ]
    }
    return Table("Data quality and coverage", first_column, columns, rows, chart)


def period_names(summaries: Mapping[Period, Summary], bucket: Bucket, zone: ZoneInfo) -> dict[str, Summary]:
    """Return the summaries by the display name of their period; hours are in `zone`."""
    return {_period_name(interval, bucket, zone): each for interval, each in summaries.items()}


def furthest_first(summaries: Iterable[tuple[str, Summary]]) -> dict[str, Summary]:
    """Sort summaries by the size of their mean deviation, largest first; units without a set temperature last."""
    return dict(sorted(summaries, key=lambda each: (-abs(each[1].mean_deviation_k or 0.0), each[0])))


def _period_name(interval: Period, bucket: Bucket, zone: ZoneInfo) -> str:
    if isinstance(interval, datetime):
        local = interval.astimezone(zone)
        # In the repeated hour at the end of summer time, the offset distinguishes the two.
        is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        return f"{local:%-d %b, %H:%M}" + (f" ({local:%z})" if is_twice else "")
    if bucket is Bucket.MONTH:
        return f"{interval:%B %Y}"
    return f"{_week(interval)}" if bucket is Bucket.WEEK else f"{interval:%a %-d %b %Y}"


def _week(monday: date) -> str:
    return f"{monday:%-d %b} to {monday + timedelta(days=6):%-d %b %Y}"


def _text(temperature_c: float | None, scale: Scale) -> str:
    """Format a temperature with one decimal, so that the values of a column align."""
    return temperature_text(temperature_c, scale, 1)


def _deviations(summary: Summary, scale: Scale) -> list[str]:
    deviations_k = (summary.mean_deviation_k, summary.min_deviation_k, summary.max_deviation_k)
    return [deviation_text(each, scale) for each in deviations_k]


def _deviation_chart(kind: str, named: Named, scale: Scale) -> dict[str, object]:
    return _chart(kind, named, difference_label(scale)) | {
        "middle_name": "Time-weighted mean",
        "middle": [_scaled_difference(each.mean_deviation_k, scale) for each in named.values()],
        "low": [_scaled_difference(each.min_deviation_k, scale) for each in named.values()],
        "high": [_scaled_difference(each.max_deviation_k, scale) for each in named.values()],
    }


def _chart(kind: str, named: Named, unit: str) -> dict[str, object]:
    return {"kind": kind, "names": list(named), "unit": unit}


def _scaled(temperature_c: float | None, scale: Scale) -> float | None:
    return None if temperature_c is None else _rounded(from_celsius(temperature_c, scale))


def _scaled_difference(difference_k: float | None, scale: Scale) -> float | None:
    return None if difference_k is None else _rounded(difference_from_kelvin(difference_k, scale))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _CHART_DECIMALS)


def _percentage(share: float | None) -> float | None:
    return None if share is None else round(share * 100, _CHART_DECIMALS)
