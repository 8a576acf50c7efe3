"""At which hours a rule tells anyone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Hours:
    """Days (0 is Monday) and a span of each, by the clock on the wall.

    A span whose end is no later than its start lasts until the next day and belongs to the day on which it starts; so
    from 08:00 until 08:00 is a whole day. Without times it is the calendar day.
    """

    weekdays: frozenset[int] = EVERY_DAY
    from_time: time | None = None
    until_time: time | None = None

    def hold(self, instant: datetime, zone: ZoneInfo) -> bool:
        """Is `instant` within these hours at a place in `zone`?"""
        local = instant.astimezone(zone)
        today, now = local.weekday(), local.time()
        if self.from_time is None or self.until_time is None:
            return today in self.weekdays
        if self.from_time < self.until_time:
            return today in self.weekdays and self.from_time <= now < self.until_time
        yesterday = (local.date() - timedelta(days=1)).weekday()
        return (today in self.weekdays and now >= self.from_time) or (
            yesterday in self.weekdays and now < self.until_time
        )
