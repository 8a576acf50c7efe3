"""Which stretch of time a page of readings shows: a preset that ends now, or two times of the facility's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import QueryDict

from readings.lists.filters import EARLIEST
from readings.models import DailyRollup
from readings.time_ranges import TimeRange, start_of_day

PRESETS = {
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "1y": timedelta(days=365),
}
ALL = "all"
DEFAULT = "24h"
NAMES = {"6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "1y": "1 year", ALL: "all"}
SHORTEST = timedelta(minutes=1)


class InvalidRange(ValueError):  # noqa: N818 - reads better where it is caught
    """What was asked for is no stretch of time; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class ShownRange:
    """A stretch of time. `preset` is the one asked for, or the one that a chosen stretch lies in and returns to."""

    time_range: TimeRange
    preset: str
    is_chosen: bool

    @property
    def title(self) -> str:
        """What a heading calls it."""
        if self.is_chosen:
            return "The chosen time"
        return "All readings" if self.preset == ALL else f"The last {NAMES[self.preset]}"

    @property
    def query(self) -> str:
        """The query that asks for it again: a preset moves on with the time, a chosen stretch stays."""
        if not self.is_chosen:
            return urlencode({"range": self.preset})
        start, end = (
            f"{each.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for each in (self.time_range.start, self.time_range.end)
        )
        return urlencode({"range": self.preset, "start": start, "end": end})


def range_asked(query: QueryDict, unit_id: int, zone: ZoneInfo, now: datetime) -> ShownRange:
    """What `?range=`, or `?start=` and `?end=`, ask for. Raises InvalidRange. A query only for all there is.

    A time without an offset is one of the facility's clock; a date is its beginning, as an end its last moment.
    """
    preset = query.get("range") or DEFAULT
    if preset not in NAMES:
        raise InvalidRange(f"The range must be one of {', '.join(NAMES)}.")
    start_text, end_text = query.get("start", "").strip(), query.get("end", "").strip()
    if not start_text and not end_text:
        return ShownRange(TimeRange(_beginning(preset, unit_id, zone, now), now), preset, is_chosen=False)
    start = _instant(start_text, zone) if start_text else _beginning(preset, unit_id, zone, now)
    end = _instant(end_text, zone, is_end=True) if end_text else now
    if end - start < SHORTEST:
        raise InvalidRange("The end must be at least a minute after the start.")
    return ShownRange(TimeRange(start, end), preset, is_chosen=True)


def _beginning(preset: str, unit_id: int, zone: ZoneInfo, now: datetime) -> datetime:
    if preset != ALL:
        return now - PRESETS[preset]
    days = DailyRollup.objects.filter(storage_unit=unit_id).order_by("local_date")
    first = days.values_list("local_date", flat=True).first()
    start = now - PRESETS[DEFAULT] if first is None else start_of_day(first, zone)
    return min(start, now - SHORTEST)


def _instant(text: str, zone: ZoneInfo, *, is_end: bool = False) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
        if is_end and len(text) == len("2026-11-23"):
            instant += timedelta(days=1)
        instant = (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRange("Times are written like 2026-11-23T10:15.") from error
    if not EARLIEST <= instant <= datetime(2200, 1, 1, tzinfo=UTC):
        raise InvalidRange("Times must be between the years 2000 and 2200.")
    return instant
