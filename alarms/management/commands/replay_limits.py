"""Show which alarms of the last days other limits would have added or removed."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone
from typing_extensions import override

from alarms.excursions.what_if import DELAYS, LimitOrderError, ReplayedAlarm, replay_limits
from alarms.models.limits import ABSOLUTE_ZERO_C, HOTTEST_C, MAX_DELAY_SECONDS
from core.web.durations import duration_entry, parse_duration
from customers.models import StorageUnit
from readings.units.formatting import temperature_text

TEMPERATURES = {
    "low_critical": "low_critical_c",
    "low": "low_warning_c",
    "high": "high_warning_c",
    "high_critical": "high_critical_c",
}

# As of the fields of limits.
MAX_MARGIN_K = 50.0
# Longer than any readings are kept in the database.
MOST_DAYS = 3_650


class Command(BaseCommand):
    """Replay a unit's readings with changed limits."""

    help = "Show which temperature alarms of the last 90 days changed limits would have added or removed."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("unit", help="the unit's id, or CUSTOMER/UNIT or CUSTOMER/FACILITY/UNIT by their codes")
        for name in TEMPERATURES:
            parser.add_argument(
                f"--{name.replace('_', '-')}", type=temperature, metavar="°C", help="a limit, or “none”"
            )
        parser.add_argument("--delay", type=seconds, metavar="TIME", help="warning delay, such as 900s, 45m or 10h")
        parser.add_argument("--critical-delay", type=seconds, metavar="TIME")
        parser.add_argument("--clearing-margin", type=margin, metavar="K")
        parser.add_argument("--clearing-delay", type=seconds, metavar="TIME")
        parser.add_argument("--days", type=int, default=90)

    @override
    def handle(self, *args: object, **options: Any) -> None:
        if not 1 <= options["days"] <= MOST_DAYS:
            raise CommandError(f"--days must be from 1 to {MOST_DAYS:,}.")
        unit = unit_named(options["unit"])
        try:
            found = replay_limits(unit, changes_in(options), timezone.now(), timedelta(days=options["days"]))
        except LimitOrderError as error:
            raise CommandError(str(error)) from error
        zone = unit.facility.zone
        self.stdout.write(f"{unit}, {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}, times in {zone.key}")
        for title, alarms in (("removed", found.removed), ("added", found.added)):
            self.stdout.write(f"{title}: {len(alarms)}")
            for alarm in alarms:
                self.stdout.write(f"  {line(alarm, unit, zone)}")
        self.stdout.write(f"unchanged: {len(found.unchanged)}")
        for before, after in found.unchanged:
            self.stdout.write(
                f"  {line(before, unit, zone)}; would open at {after.opened_at.astimezone(zone):%Y-%m-%d %H:%M}"
                f" as {after.severity}"
            )


def changes_in(options: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of Limits that the options change. “none” removes a limit."""
    changes = {
        field: None if options[name] == "none" else options[name]
        for name, field in TEMPERATURES.items()
        if options[name] is not None
    }
    for name, fields in DELAYS.items():
        if options[name] is not None:
            changes |= dict.fromkeys(fields, options[name])
    if options["clearing_margin"] is not None:
        changes["clearing_margin_k"] = options["clearing_margin"]
    if options["clearing_delay"] is not None:
        changes["clearing_delay_seconds"] = options["clearing_delay"]
    if not changes:
        raise CommandError("Specify at least one change, for example --delay 45m or --high 10.")
    return changes


def unit_named(name: str) -> StorageUnit:
    """Return the unit with this id or these codes. Raise CommandError."""
    units = StorageUnit.objects.select_related("facility__customer")
    customer_code, *others = name.split("/")
    condition = (
        Q(facility__customer__customer_code=customer_code, unit_code=others[-1]) if others else Q(public_id=name)
    )
    if len(others) == 2:
        condition &= Q(facility__facility_code=others[0])
    try:
        found: list[StorageUnit] = list(units.filter(condition)[:2])
    except ValidationError:
        found = []
    if len(found) != 1:
        why = "Several units have these codes; add the facility" if found else "No such unit"
        raise CommandError(f"{why}: {name}")
    return found[0]


def seconds(text: str) -> int:
    """Parse a duration such as 900s, 45m, 10h or 1d; return seconds."""
    number = parse_duration(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 900s, 45m or 10h")
    if number > MAX_DELAY_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than {duration_entry(MAX_DELAY_SECONDS)}")
    return number


def temperature(text: str) -> float | str:
    """Parse a temperature in °C, or “none”."""
    if text == "none":
        return text
    number = _number(text)
    if not ABSOLUTE_ZERO_C <= number <= HOTTEST_C:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a temperature in °C nor “none”")
    return number


def margin(text: str) -> float:
    """Parse a difference of temperatures in kelvin."""
    number = _number(text)
    if not 0 <= number <= MAX_MARGIN_K:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of kelvin from 0 to {MAX_MARGIN_K:g}")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def line(alarm: ReplayedAlarm, unit: StorageUnit, zone: ZoneInfo) -> str:
    """Format an alarm as one line, on the unit's scale and in the facility's time."""
    until = "ongoing" if alarm.ended_at is None else f"to {alarm.ended_at.astimezone(zone):%Y-%m-%d %H:%M}"
    peak = temperature_text(alarm.peak_c, unit.temperature_unit)
    return f"{alarm.started_at.astimezone(zone):%Y-%m-%d %H:%M} {until}, {alarm.severity}, peak {peak}"
