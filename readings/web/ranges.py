"""The period that a unit page shows: a preset that ends now, or a custom range in the facility's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import QueryDict

from core.api.fields import is_date
from readings.lists.filters import EARLIEST
from readings.models import DailyRollup
from readings.storage.local_days import start_of_day
from readings.time_ranges import TimeRange

PRESETS = {
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "1y": timedelta(days=365),
}
ALL = "all"
DEFAULT = "24h"
PRESET_NAMES = {"6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "1y": "1 year", ALL: "All"}
SHORTEST = timedelta(minutes=1)


class InvalidRange(ValueError):  # noqa: N818 - reads better where it is caught
    """The query is not a valid range; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class RequestedRange:
    """A period. `preset` is the requested one or, for a custom range, the one that a reset returns to."""

    time_range: TimeRange
    preset: str
    is_custom: bool

    @property
    def title(self) -> str:
        """The heading of the period."""
        if self.is_custom:
            return "Custom period"
        return "All readings" if self.preset == ALL else f"Last {PRESET_NAMES[self.preset]}"

    @property
    def query(self) -> str:
        """The query string of the period: a preset moves with time, a custom range stays."""
        if not self.is_custom:
            return urlencode({"range": self.preset})
        start, end = (
            f"{each.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for each in (self.time_range.start, self.time_range.end)
        )
        return urlencode({"range": self.preset, "start": start, "end": end})


def requested_range(query: QueryDict, unit_id: int, zone: ZoneInfo, now: datetime) -> RequestedRange:
    """Return the period given by `?range=`, or by `?start=` and `?end=`.

    A time without an offset is in the facility's time zone; a date means its start, or its end for `end`. One query for
    the preset "all", otherwise none. Raises InvalidRange.
    """
    preset = query.get("range") or DEFAULT
    if preset not in PRESET_NAMES:
        raise InvalidRange(f"The range must be one of {', '.join(PRESET_NAMES)}.")
    start_text, end_text = query.get("start", "").strip(), query.get("end", "").strip()
    if not start_text and not end_text:
        return RequestedRange(TimeRange(_start_of(preset, unit_id, zone, now), now), preset, is_custom=False)
    start = _instant(start_text, zone) if start_text else _start_of(preset, unit_id, zone, now)
    end = _instant(end_text, zone, is_end=True) if end_text else now
    if end - start < SHORTEST:
        raise InvalidRange("The end must be at least a minute after the start.")
    return RequestedRange(TimeRange(start, end), preset, is_custom=True)


def _start_of(preset: str, unit_id: int, zone: ZoneInfo, now: datetime) -> datetime:
    if preset != ALL:
        return now - PRESETS[preset]
    days = DailyRollup.objects.filter(storage_unit=unit_id).order_by("local_date")
    first = days.values_list("local_date", flat=True).first()
    start = now - PRESETS[DEFAULT] if first is None else start_of_day(first, zone)
    return min(start, now - SHORTEST)


def _instant(text: str, zone: ZoneInfo, *, is_end: bool = False) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
        if is_end and is_date(text):
            instant += timedelta(days=1)
        instant = (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRange("Enter times like 2026-11-23T10:15.") from error
    if not EARLIEST <= instant <= datetime(2200, 1, 1, tzinfo=UTC):
        raise InvalidRange("Times must be between the years 2000 and 2200.")
    return instant
