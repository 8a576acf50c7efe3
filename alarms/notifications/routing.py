"""Which rules apply to an alarm at an instant, by what it is, where, at which hour there, and who works there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from alarms.models import Alarm, Channel, MaintenanceWindow, Rule
from customers.models import Facility

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


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A rule with what hangs on it; channels that are disabled are left out."""

    rule: Rule
    hours: Hours
    facility_ids: frozenset[int]
    unit_ids: frozenset[int]
    channels: tuple[Channel, ...]
    escalation_channels: tuple[Channel, ...]

    @classmethod
    def of(cls, rule: Rule) -> LoadedRule:
        """`rule`, whose channels and places are prefetched."""
        return cls(
            rule,
            Hours(frozenset(rule.weekdays) or EVERY_DAY, rule.from_time, rule.until_time),
            frozenset(facility.pk for facility in rule.facilities.all()),
            frozenset(unit.pk for unit in rule.units.all()),
            tuple(channel for channel in rule.channels.all() if channel.is_enabled),
            tuple(channel for channel in rule.escalation_channels.all() if channel.is_enabled),
        )

    def is_for(self, alarm: Alarm) -> bool:
        """Is it for this alarm, whatever the hour? A drill tries every rule."""
        if is_drill(alarm):
            return True
        kinds, severities = self.rule.kinds, self.rule.severities
        if (kinds and alarm.kind not in kinds) or (severities and alarm.severity not in severities):
            return False
        return self._is_of_place(alarm)

    def _is_of_place(self, alarm: Alarm) -> bool:
        """A source may feed any unit, and its silence explains theirs: whoever watches a few hears of it as well."""
        unit = alarm.storage_unit
        if unit is None or not (self.facility_ids or self.unit_ids):
            return True
        return unit.pk in self.unit_ids or unit.facility_id in self.facility_ids


@dataclass(slots=True)
class RuleBook:
    """The enabled rules of some customers, and the maintenance windows that are open at an instant."""

    at: datetime
    rules: dict[int, list[LoadedRule]]
    windows: dict[int, list[MaintenanceWindow]]
    _zones: dict[int, ZoneInfo] = field(default_factory=dict)

    @classmethod
    def at_instant(cls, customer_ids: Collection[int], at: datetime) -> RuleBook:
        rules: dict[int, list[LoadedRule]] = defaultdict(list)
        for rule in _rules_of(customer_ids):
            rules[rule.customer_id].append(LoadedRule.of(rule))
        windows: dict[int, list[MaintenanceWindow]] = defaultdict(list)
        if rules:
            for window in MaintenanceWindow.objects.filter(customer__in=rules, starts_at__lte=at, ends_at__gt=at):
                windows[window.customer_id].append(window)
        return cls(at, rules, windows)

    def telling(self, alarm: Alarm) -> Sequence[LoadedRule]:
        """The rules by which people are told of `alarm` at this instant; none during maintenance."""
        if self.is_muted(alarm):
            return ()
        return [
            loaded
            for loaded in self.rules.get(alarm.customer_id, ())
            if loaded.is_for(alarm) and loaded.hours.hold(self.at, self._zone_of(alarm))
        ]

    def is_muted(self, alarm: Alarm) -> bool:
        """Is the alarm's unit, facility or customer being worked on?"""
        return any(_covers(window, alarm) for window in self.windows.get(alarm.customer_id, ()))

    def _zone_of(self, alarm: Alarm) -> ZoneInfo:
        """The time zone of the alarm's place; a source's is that of the customer's first facility."""
        if alarm.storage_unit is not None:
            return alarm.storage_unit.facility.zone
        if alarm.customer_id not in self._zones:
            first = Facility.objects.filter(customer=alarm.customer_id).order_by("pk").first()
            self._zones[alarm.customer_id] = first.zone if first else ZoneInfo("UTC")
        return self._zones[alarm.customer_id]


def is_drill(alarm: Alarm) -> bool:
    """Does it tell of a synthetic unit, that is of no goods at all?"""
    return alarm.storage_unit is not None and alarm.storage_unit.is_synthetic


def _covers(window: MaintenanceWindow, alarm: Alarm) -> bool:
    if window.storage_unit_id is not None:
        return window.storage_unit_id == alarm.storage_unit_id
    if window.facility_id is not None:
        return alarm.storage_unit is not None and window.facility_id == alarm.storage_unit.facility_id
    return True


def _rules_of(customer_ids: Collection[int]) -> Sequence[Rule]:
    rules = Rule.objects.filter(customer__in=customer_ids, customer__is_active=True, is_enabled=True)
    return list(rules.prefetch_related("facilities", "units", "channels", "escalation_channels").order_by("pk"))
