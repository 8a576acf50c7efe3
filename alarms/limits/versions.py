"""The versions of a unit's limits: which are in force, and were at any time.

A unit's limits come from its profile, from its own values, or from the default profile; those around the set
temperature also depend on it and on the configured deviation. When any of these change, `update_versions` computes the
limits again and, if they differ, gives the unit a new version from that moment on. Versions never change, so past
alarms are not re-evaluated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from alarms.models import LimitProfile, LimitVersion, UnitLimits
from alarms.models.limits import TEMPERATURE_FIELDS, ChosenLimits, LimitValues
from alarms.thresholds import Limits, SensorPolicy
from customers.models import StorageUnit
from readings.configuration import deviation_limits
from readings.models import LatestReading
from readings.storage.store import CLOCK_TOLERANCE
from readings.units.condition import LIMIT_COLUMNS, DeviationLimits
from readings.units.scales import to_celsius

FIRST_VALID_FROM = datetime(1970, 1, 1, tzinfo=UTC)
OWN_LIMITS = "own limits"
_VALUE_NAMES = tuple(field.name for field in LimitValues._meta.local_fields)


@dataclass(frozen=True, slots=True)
class ResolvedLimits:
    """The limits in force for a unit, and the name of their origin."""

    limits: Limits
    profile_name: str


def resolve_limits(
    unit: StorageUnit, chosen: UnitLimits | None, default: LimitProfile, deviation: DeviationLimits
) -> ResolvedLimits:
    """Return the limits of `unit` by its choice `chosen`, or by the profile `default` if that is None."""
    source: ChosenLimits = default if chosen is None else chosen.profile or chosen
    values = {name: getattr(source, name) for name in _VALUE_NAMES}
    if source.is_around_set_temperature:
        values |= _around(unit, source, deviation)
    limits = Limits(
        **values,
        gap_limit_seconds=unit.effective_staleness_limit_seconds,
        sensor_policy=SensorPolicy(chosen.sensor_policy) if chosen else SensorPolicy.ANY,
        named_sensor_id=chosen.named_sensor_id if chosen else None,
    )
    return ResolvedLimits(limits, source.name if isinstance(source, LimitProfile) else OWN_LIMITS)


def _around(unit: StorageUnit, source: ChosenLimits, deviation: DeviationLimits) -> dict[str, float | None]:
    """Return the four limits around the unit's set temperature; all None without one."""
    if unit.set_temperature is None:
        return dict.fromkeys(TEMPERATURE_FIELDS)
    set_c = to_celsius(unit.set_temperature, unit.temperature_unit)
    warning_k, critical_k = deviation.warning_k, deviation.critical_k
    if source.warning_deviation_k is not None and source.critical_deviation_k is not None:
        warning_k, critical_k = source.warning_deviation_k, source.critical_deviation_k
    # 2.0000000000000004 is two kelvin, and people read the limit.
    limits_c = (set_c - critical_k, set_c - warning_k, set_c + warning_k, set_c + critical_k)
    return dict(zip(TEMPERATURE_FIELDS, (round(limit_c, 6) for limit_c in limits_c), strict=True))


@transaction.atomic
def update_versions(unit_ids: Iterable[int], *, by: str = "", at: datetime | None = None) -> int:
    """Create new versions for units whose limits changed; return how many. Six queries at most.

    `at`: from when on a new version is in force, now by default. If a sensor's clock is ahead by seconds, the version
    is in force after the unit's latest reading, which is evaluated already. A unit's first version always was.
    """
    # The lock on the units serialises concurrent updates of the same unit.
    units = list(StorageUnit.objects.filter(pk__in=list(unit_ids)).order_by("pk").select_for_update(no_key=True))
    newest = latest_versions([unit.pk for unit in units])
    choices = UnitLimits.objects.filter(storage_unit__in=units).select_related("profile").in_bulk()
    default, deviation = default_profile(), deviation_limits()
    at = at or timezone.now()
    latest = _latest_readings_near(at, newest)
    created, changed = [], []
    for unit in units:
        resolved = resolve_limits(unit, choices.get(unit.pk), default, deviation)
        version = newest.get(unit.pk)
        if version is None or (version.limits, version.profile_name) != (resolved.limits, resolved.profile_name):
            valid_from = FIRST_VALID_FROM if version is None else _after(version, latest.get(unit.pk, at))
            created.append(_version(unit, resolved, by, valid_from))
        if _copy_to_unit(unit, resolved.limits):
            changed.append(unit)
    LimitVersion.objects.bulk_create(created)
    StorageUnit.objects.bulk_update(changed, LIMIT_COLUMNS, batch_size=1_000)
    return len(created)


def default_profile() -> LimitProfile:
    """Return the profile of units without one; if none is marked, the configured deviation after 30 minutes."""
    return LimitProfile.objects.filter(is_default=True).first() or LimitProfile(
        name="around the set temperature", is_around_set_temperature=True
    )


def latest_versions(unit_ids: Sequence[int]) -> dict[int, LimitVersion]:
    """Return the newest version of each of these units that has one."""
    versions = LimitVersion.objects.filter(storage_unit__in=unit_ids).order_by("storage_unit_id", "-valid_from")
    return {version.storage_unit_id: version for version in versions.distinct("storage_unit_id")}


def version_at(unit_id: int, instant: datetime) -> LimitVersion | None:
    """Return the version in force for the unit at `instant`, None if it never had one."""
    return LimitVersion.objects.filter(storage_unit=unit_id, valid_from__lte=instant).order_by("-valid_from").first()


def versions_by_unit(unit_ids: Sequence[int]) -> dict[int, list[LimitVersion]]:
    """Return all versions of these units in order of time."""
    versions: dict[int, list[LimitVersion]] = {unit_id: [] for unit_id in unit_ids}
    for version in LimitVersion.objects.filter(storage_unit__in=unit_ids).order_by("storage_unit_id", "valid_from"):
        versions[version.storage_unit_id].append(version)
    return versions


def _version(unit: StorageUnit, resolved: ResolvedLimits, by: str, valid_from: datetime) -> LimitVersion:
    return LimitVersion(
        storage_unit=unit,
        valid_from=valid_from,
        interval_seconds=unit.interval_seconds,
        profile_name=resolved.profile_name,
        changed_by=by,
        **dataclasses.asdict(resolved.limits),
    )


def _after(version: LimitVersion, at: datetime) -> datetime:
    """Return `at`, or the next instant if two changes come within a microsecond or a clock was set back."""
    return max(at, version.valid_from + datetime.resolution)


def _latest_readings_near(at: datetime, unit_ids: Iterable[int]) -> dict[int, datetime]:
    """Return the next instant after the latest reading of each of these units that has one at `at` or shortly after."""
    readings = LatestReading.objects.filter(
        pk__in=list(unit_ids), recorded_at__gte=at, recorded_at__lte=at + CLOCK_TOLERANCE
    )
    return {unit_id: latest + datetime.resolution for unit_id, latest in readings.values_list("pk", "recorded_at")}


def _copy_to_unit(unit: StorageUnit, limits: Limits) -> bool:
    """Copy the limits to the columns of the unit, for conditions and charts; return whether they changed."""
    values = {name: getattr(limits, name) for name in TEMPERATURE_FIELDS} | {"is_limit_outside": limits.is_inclusive}
    if all(getattr(unit, name) == value for name, value in values.items()):
        return False
    for name, value in values.items():
        setattr(unit, name, value)
    return True
