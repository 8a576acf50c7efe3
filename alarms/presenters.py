"""Texts and markers by which pages show alarms, excursions and limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils import timezone

from alarms.models import Alarm, Excursion, LimitVersion
from alarms.thresholds import Limits, Side
from readings.time_ranges import TimeRange
from readings.units.condition import LimitsInForce
from readings.units.formatting import UNKNOWN_TEXT, age_text, duration_text, limits_text, number_text, temperature_text

Details = list[tuple[str, str]]
# The chart of an alarm shows at least this much before and after it.
MIN_MARGIN = timedelta(hours=1)
# The CSS class and the symbol of each severity; the symbol does not depend on colour vision.
_LOOKS = {"critical": ("critical", "■"), "warning": ("warning", "▲")}
_PAST = ("no-limits", "–")


@dataclass(frozen=True, slots=True)
class AlarmPresenter:
    """An alarm as of `now`. Its unit, facility and customer should be loaded, see `with_units`."""

    alarm: Alarm
    now: datetime

    @property
    def title(self) -> str:
        """Kind and severity, capitalised."""
        kind = self.alarm.get_kind_display()
        return f"{kind[:1].upper()}{kind[1:]}, {self.alarm.severity}"

    @property
    def value(self) -> str:
        """The state, for the badge template."""
        return self.alarm.state

    @property
    def slug(self) -> str:
        """The CSS class of the badge."""
        return self._look[0]

    @property
    def mark(self) -> str:
        """The symbol of the badge."""
        return self._look[1]

    @property
    def time_zone(self) -> str:
        """The facility's time zone, UTC for alarms of sources."""
        unit = self.alarm.storage_unit
        return unit.facility.time_zone if unit else "UTC"

    @property
    def duration(self) -> str:
        """The duration of the condition so far."""
        return duration_text((self.alarm.ended_at or self.now) - self.alarm.started_at)

    @property
    def opens_text(self) -> str:
        """When a pending alarm opens: "Opens in 22 min"; empty for one that is not waiting for a delay."""
        if self.alarm.state != Alarm.State.PENDING or self.alarm.excursion is None:
            return ""
        remaining = self.alarm.excursion.alarm_due_at - self.now
        return f"Opens in {age_text(remaining)}" if remaining > timedelta(0) else "Opens with the next reading outside"

    @property
    def peak(self) -> str:
        """The peak so far, on the unit's scale."""
        return self.temperature(self.alarm.temperature_c)

    @property
    def time_range(self) -> TimeRange:
        """The range of its chart: the excursion plus a quarter of its duration on both sides, at least an hour."""
        end = self.alarm.ended_at or self.now
        margin = max((end - self.alarm.started_at) / 4, MIN_MARGIN)
        return TimeRange(self.alarm.started_at - margin, min(end + margin, self.now))

    @property
    def query(self) -> str:
        """The query string that selects this range on the unit's page."""
        start, end = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (self.time_range.start, self.time_range.end))
        return urlencode({"start": start, "end": end})

    def temperature(self, temperature_c: float | None) -> str:
        """Return a temperature on the unit's scale as text."""
        unit = self.alarm.storage_unit
        return temperature_text(temperature_c, unit.temperature_unit) if unit else UNKNOWN_TEXT

    @property
    def _look(self) -> tuple[str, str]:
        return _LOOKS[self.alarm.severity] if self.alarm.is_live else _PAST


def present_alarms(alarms: Iterable[Alarm], now: datetime | None = None) -> list[AlarmPresenter]:
    """Return presenters of these alarms as of `now`, by default the current time."""
    now = now or timezone.now()
    return [AlarmPresenter(alarm, now) for alarm in alarms]


def with_units(alarms: QuerySet[Alarm]) -> QuerySet[Alarm]:
    """Load the related rows that presenters need."""
    related = alarms.select_related("storage_unit__facility", "customer", "sensor", "excursion__limit_version")
    # An excursion of weeks has many pieces, which no list shows.
    return related.defer(*(f"excursion__{name}" for name in Excursion.PIECES))


def excursion_details(excursion: Excursion, scale: str) -> Details:
    """Return labels and texts of an excursion's measures, temperatures on `scale`."""
    return [
        ("Peak", temperature_text(excursion.peak_c, scale)),
        ("Area", f"{number_text(excursion.area_kelvin_minutes, 1)} K·min"),
        ("Mean kinetic temperature", temperature_text(excursion.mkt_c, scale)),
        ("Confirmed time outside", duration_text(timedelta(seconds=excursion.outside_seconds))),
        ("No data for", duration_text(timedelta(seconds=excursion.gap_seconds))),
    ]


def limit_details(version: LimitVersion, scale: str) -> Details:
    """Return labels and texts of a version's limits, temperatures on `scale`."""
    limits = version.limits
    details = [
        ("Source", version.profile_name),
        ("Limits", limits_text(condition_limits(limits), scale)),
        ("Reading at the limit", _at_the_limit_text(limits)),
        ("Warning delay", _delays_text(limits.high_delay_seconds, limits.low_delay_seconds)),
        ("Critical delay", _delays_text(limits.high_critical_delay_seconds, limits.low_critical_delay_seconds)),
        ("Clearing", _clearing_text(limits)),
        ("Allowed time outside", _allowed_text(limits, None)),
        ("Allowed time too warm", _allowed_text(limits, Side.HIGH, limits.high_allowed_c, scale)),
        ("Allowed time too cold", _allowed_text(limits, Side.LOW, limits.low_allowed_c, scale)),
        ("MKT limit", _mkt_text(limits, scale)),
        ("Sensors", version.get_sensor_policy_display()),
        ("Readings valid for", duration_text(limits.staleness_limit)),
    ]
    return [(name, text) for name, text in details if text]


def condition_limits(limits: Limits) -> LimitsInForce:
    """Return the part of the limits that determines a unit's condition."""
    return LimitsInForce(
        limits.low_critical_c,
        limits.low_warning_c,
        limits.high_warning_c,
        limits.high_critical_c,
        limits.is_inclusive,
        limits.is_low_critical_inclusive,
    )


def _seconds_text(seconds: float) -> str:
    return duration_text(timedelta(seconds=seconds))


def _at_the_limit_text(limits: Limits) -> str:
    if limits.is_inclusive:
        return "outside"
    return "within, beyond at the low critical limit" if limits.is_low_critical_inclusive else "within"


def _delays_text(high_seconds: int, low_seconds: int) -> str:
    high, low = _seconds_text(high_seconds), _seconds_text(low_seconds)
    return high if high == low else f"{high} when too warm, {low} when too cold"


def _clearing_text(limits: Limits) -> str:
    if not limits.clearing_margin_k and not limits.clearing_delay_seconds:
        return ""
    margin = f"{number_text(limits.clearing_margin_k, 2)} K within the limits"
    return f"{margin} for {_seconds_text(limits.clearing_delay_seconds)}"


def _allowed_text(limits: Limits, side: Side | None, level_c: float | None = None, scale: str = "C") -> str:
    budget = limits.budget(side)
    if budget is None:
        return ""
    beyond = (
        "" if level_c is None else f"{'above' if side is Side.HIGH else 'below'} {temperature_text(level_c, scale)}: "
    )
    return f"{beyond}{_seconds_text(budget.allowed_seconds)} in any {_seconds_text(budget.window_seconds)}"


def _mkt_text(limits: Limits, scale: str) -> str:
    if limits.mkt_limit_c is None:
        return ""
    return f"{temperature_text(limits.mkt_limit_c, scale)} over any {_seconds_text(limits.mkt_window_seconds)}"
