"""Route alarms to channels: which rules apply to an alarm at an instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from alarms.models import Alarm, Channel, MaintenanceWindow, Rule
from alarms.thresholds import Severity
from customers.models import Facility

EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekdays (0 is Monday) and a range of local time on each.

    A range whose end is not after its start ends on the next day and belongs to the weekday on which it starts, so
    08:00 to 08:00 is a whole day. Without times it is the calendar day.
    """

    weekdays: frozenset[int] = EVERY_DAY
    from_time: time | None = None
    until_time: time | None = None

    def contains(self, instant: datetime, zone: ZoneInfo) -> bool:
        """Return whether `instant` lies within these hours in `zone`."""
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
class Route:
    """A rule with its related rows; disabled channels are left out."""

    rule: Rule
    hours: Hours
    facility_ids: frozenset[int]
    unit_ids: frozenset[int]
    channels: tuple[Channel, ...]
    escalation_channels: tuple[Channel, ...]

    @classmethod
    def from_rule(cls, rule: Rule) -> Route:
        """Build the route of `rule`, whose related rows are prefetched."""
        return cls(
            rule,
            Hours(frozenset(rule.weekdays) or EVERY_DAY, rule.from_time, rule.until_time),
            frozenset(facility.pk for facility in rule.facilities.all()),
            frozenset(unit.pk for unit in rule.units.all()),
            tuple(channel for channel in rule.channels.all() if channel.is_enabled),
            tuple(channel for channel in rule.escalation_channels.all() if channel.is_enabled),
        )

    def matches(self, alarm: Alarm, severity: str) -> bool:
        """Return whether the rule covers this alarm, of this severity, at any hour. A drill matches every rule."""
        if alarm.is_drill:
            return True
        is_selected = self._selects(alarm.kind, severity)
        if alarm.kind == Alarm.Kind.SOURCE_DOWN:
            # It inhibits the alarms of its units without data, so the rules for those apply as well.
            is_selected |= self._selects(Alarm.Kind.NO_DATA, Severity.WARNING)
        return is_selected and self._covers_location(alarm)

    def _selects(self, kind: str, severity: str) -> bool:
        kinds, severities = self.rule.kinds, self.rule.severities
        return (not kinds or kind in kinds) and (not severities or severity in severities)

    def _covers_location(self, alarm: Alarm) -> bool:
        # A source may supply any unit, and its alarm inhibits theirs: it goes to the rules of single units as well.
        unit = alarm.storage_unit
        if unit is None or not (self.facility_ids or self.unit_ids):
            return True
        return unit.pk in self.unit_ids or unit.facility_id in self.facility_ids


@dataclass(slots=True)
class RoutingTable:
    """The enabled rules of some customers and the maintenance windows in effect at an instant."""

    at: datetime
    routes: dict[int, list[Route]]
    windows: dict[int, list[MaintenanceWindow]]
    _zones: dict[int, ZoneInfo] = field(default_factory=dict)

    @classmethod
    def load(cls, customer_ids: Collection[int], at: datetime) -> RoutingTable:
        """Load the rules of these customers, and the maintenance windows at `at`."""
        routes: dict[int, list[Route]] = defaultdict(list)
        for rule in _enabled_rules(customer_ids):
            routes[rule.customer_id].append(Route.from_rule(rule))
        windows: dict[int, list[MaintenanceWindow]] = defaultdict(list)
        if routes:
            for window in MaintenanceWindow.objects.filter(customer__in=routes, starts_at__lte=at, ends_at__gt=at):
                windows[window.customer_id].append(window)
        return cls(at, routes, windows)

    def routes_for(self, alarm: Alarm) -> Sequence[Route]:
        """Return the routes of `alarm` that apply at this hour; none during maintenance."""
        return [route for route in self.matching_routes(alarm) if self.is_within_hours(route, alarm, self.at)]

    def matching_routes(self, alarm: Alarm, severities: Collection[str] = ()) -> Sequence[Route]:
        """Return the routes of `alarm`, of any of these severities or by default its own, whatever their hours.

        None during maintenance.
        """
        if self.is_muted(alarm):
            return ()
        routes = self.routes.get(alarm.customer_id, ())
        return [each for each in routes if any(each.matches(alarm, one) for one in severities or [alarm.severity])]

    def is_within_hours(self, route: Route, alarm: Alarm, instant: datetime) -> bool:
        """Return whether `instant` lies within the route's hours where the alarm is."""
        return route.hours.contains(instant, self._zone_of(alarm))

    def is_muted(self, alarm: Alarm) -> bool:
        """Return whether a maintenance window covers the alarm's unit, facility or customer."""
        return any(window.covers(alarm.storage_unit) for window in self.windows.get(alarm.customer_id, ()))

    def _zone_of(self, alarm: Alarm) -> ZoneInfo:
        """Return the time zone of the alarm's facility; for a source and a drill, of the customer's first facility."""
        if alarm.storage_unit is not None and not alarm.is_drill:
            return alarm.storage_unit.facility.zone
        if alarm.customer_id not in self._zones:
            facilities = Facility.objects.filter(customer=alarm.customer_id).exclude(units__is_synthetic=True)
            first = facilities.order_by("pk").first()
            self._zones[alarm.customer_id] = first.zone if first else ZoneInfo("UTC")
        return self._zones[alarm.customer_id]


def _enabled_rules(customer_ids: Collection[int]) -> Sequence[Rule]:
    rules = Rule.objects.filter(customer__in=customer_ids, customer__is_active=True, is_enabled=True)
    return list(rules.prefetch_related("facilities", "units", "channels", "escalation_channels").order_by("pk"))
