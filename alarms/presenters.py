"""Alarms in words, as pages show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from alarms.models import Alarm, Excursion, LimitVersion
from alarms.thresholds import Limits
from readings.time_ranges import TimeRange
from readings.units.condition import LimitsInForce
from readings.units.formatting import UNKNOWN_TEXT, duration_text, limits_text, number_text, temperature_text

Facts = list[tuple[str, str]]
# The chart of an alarm shows what came before and after it, too.
LEAST_MARGIN = timedelta(hours=1)
# The class that colours a severity in style sheets, and the sign that tells it to who sees no colours.
_LOOKS = {"critical": ("critical", "■"), "warning": ("warning", "▲")}
_PAST = ("no-limits", "–")


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An alarm at `now`, which comes with its unit, facility and customer."""

    alarm: Alarm
    now: datetime

    @property
    def title(self) -> str:
        kind = self.alarm.get_kind_display()
        return f"{kind[:1].upper()}{kind[1:]}, {self.alarm.severity}"

    @property
    def value(self) -> str:
        """The state, as the mark of a state shows it."""
        return self.alarm.state

    @property
    def slug(self) -> str:
        return self._look[0]

    @property
    def mark(self) -> str:
        return self._look[1]

    @property
    def time_zone(self) -> str:
        unit = self.alarm.storage_unit
        return unit.facility.time_zone if unit else "UTC"

    @property
    def duration(self) -> str:
        """How long its cause lasts, or lasted."""
        return duration_text((self.alarm.ended_at or self.now) - self.alarm.started_at)

    @property
    def worst(self) -> str:
        """The worst temperature so far on the unit's own scale."""
        return self.temperature(self.alarm.temperature_c)

    @property
    def time_range(self) -> TimeRange:
        """What its chart shows: the excursion with as much around it as a quarter of it, an hour at least."""
        end = self.alarm.ended_at or self.now
        margin = max((end - self.alarm.started_at) / 4, LEAST_MARGIN)
        return TimeRange(self.alarm.started_at - margin, min(end + margin, self.now))

    @property
    def query(self) -> str:
        """The query that asks a unit's page for this span."""
        start, end = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (self.time_range.start, self.time_range.end))
        return urlencode({"start": start, "end": end})

    def temperature(self, temperature_c: float | None) -> str:
        unit = self.alarm.storage_unit
        return temperature_text(temperature_c, unit.temperature_unit) if unit else UNKNOWN_TEXT

    @property
    def _look(self) -> tuple[str, str]:
        return _LOOKS.get(self.alarm.severity, _PAST) if self.alarm.is_live else _PAST


def shown_alarms(alarms: Iterable[Alarm], now: datetime | None = None) -> list[ShownAlarm]:
    now = now or timezone.now()
    return [ShownAlarm(alarm, now) for alarm in alarms]


def with_places(alarms: Any) -> Any:
    """The alarms with what is shown of each."""
    return alarms.select_related("storage_unit__facility", "customer", "sensor")


def excursion_facts(excursion: Excursion, scale: str) -> Facts:
    """Names and texts of what is known of an excursion; what is unknown stands beside it."""
    return [
        ("Peak", temperature_text(excursion.peak_c, scale)),
        ("Area", f"{number_text(excursion.area_kelvin_minutes, 1)} K·min"),
        ("Mean kinetic temperature", temperature_text(excursion.mkt_c, scale)),
        ("Known to be outside", duration_text(timedelta(seconds=excursion.outside_seconds))),
        ("Nothing known for", duration_text(timedelta(seconds=excursion.gap_seconds))),
    ]


def limit_facts(version: LimitVersion, scale: str) -> Facts:
    """Names and texts of the limits of a version, temperatures on `scale`."""
    limits = version.limits
    snapshots = [
        ("From", version.profile_name),
        ("Limits", limits_text(in_force(limits), scale)),
        ("Exactly at a limit", "outside" if limits.is_inclusive else "within"),
        ("Delay", _delays_text(limits)),
        ("Clearing", _clearing_text(limits)),
        ("Allowed outside in all", _allowed_text(limits)),
        ("MKT limit", _mkt_text(limits, scale)),
        ("Sensors", version.get_sensor_policy_display()),
        ("A reading stands for", duration_text(limits.staleness_limit)),
    ]
    return [(name, text) for name, text in snapshots if text]


def in_force(limits: Limits) -> LimitsInForce:
    """The part of limits that states are shown by."""
    return LimitsInForce(
        limits.low_critical_c,
        limits.low_warning_c,
        limits.high_warning_c,
        limits.high_critical_c,
        limits.is_inclusive,
    )


def _seconds_text(seconds: float) -> str:
    return duration_text(timedelta(seconds=seconds))


def _delays_text(limits: Limits) -> str:
    high, low = _seconds_text(limits.high_delay_seconds), _seconds_text(limits.low_delay_seconds)
    return high if high == low else f"{high} when too warm, {low} when too cold"


def _clearing_text(limits: Limits) -> str:
    if not limits.clearing_margin_k and not limits.clearing_delay_seconds:
        return ""
    margin = f"{number_text(limits.clearing_margin_k, 2)} K within the limits"
    return f"{margin} for {_seconds_text(limits.clearing_delay_seconds)}"


def _allowed_text(limits: Limits) -> str:
    if limits.allowed_seconds is None:
        return ""
    return f"{_seconds_text(limits.allowed_seconds)} in any {_seconds_text(limits.allowed_window_seconds)}"


def _mkt_text(limits: Limits, scale: str) -> str:
    if limits.mkt_limit_c is None:
        return ""
    return f"{temperature_text(limits.mkt_limit_c, scale)} over any {_seconds_text(limits.mkt_window_seconds)}"
