"""The versions of a unit's limits: which are in force, and were at any time.

A unit's limits come from its profile, from its own values, or from its customer's profile; those around the set
temperature also depend on it and on the configured deviation. Until a person has chosen any of these, the default
profile is provisionally in force and alerts nobody. When any of these change, `update_versions` computes the limits
again and, if they differ, gives the unit a new version from that moment on. Versions never change, so past alarms are
not re-evaluated.

Two kinds of versions apply to the past: the first choice for a unit, which replaces the provisional limits from their
beginning, and limits that a person backdates. The versions they replace are kept as superseded, and the readings since
then are evaluated again, see `alarms.evaluation.reevaluation`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from alarms.limits.profiles import DEFAULT
from alarms.models import LimitProfile, LimitVersion, Reevaluation, UnitLimits
from alarms.models.limits import TEMPERATURE_FIELDS, ChosenLimits, LimitValues
from alarms.thresholds import Limits, SensorPolicy
from customers.models import StorageUnit
from readings.configuration import deviation_limits
from readings.models import LatestReading
from readings.storage.store import CLOCK_TOLERANCE
from readings.units.condition import LIMIT_COLUMNS, DeviationLimits
from readings.units.scales import to_celsius

FIRST_VALID_FROM = datetime(1970, 1, 1, tzinfo=UTC)
# Rows dated earlier are rejected.
EARLIEST_BACKDATED = datetime(2000, 1, 1, tzinfo=UTC)
OWN_LIMITS = "own limits"
# The columns of a storage unit that say what is in force now.
COPIED_COLUMNS = (*LIMIT_COLUMNS, "has_provisional_limits")
_ARRAYS = ", ".join(
    f"%s::{StorageUnit._meta.get_field(name).db_type(connection)}[]" for name in ("id", *COPIED_COLUMNS)
)
_STORE_COPIES = f"""
UPDATE storage_unit SET {", ".join(f"{name} = copied.{name}" for name in COPIED_COLUMNS)}
FROM unnest({_ARRAYS}) AS copied (id, {", ".join(COPIED_COLUMNS)}) WHERE storage_unit.id = copied.id
"""  # noqa: S608  constants only
_VALUE_NAMES = tuple(field.name for field in LimitValues._meta.local_fields)


@dataclass(frozen=True, slots=True)
class ResolvedLimits:
    """The limits in force for a unit, the name of their origin, and whether nobody has chosen them."""

    limits: Limits
    profile_name: str
    is_provisional: bool = False

    def is_in_force_by(self, version: LimitVersion) -> bool:
        """Return whether `version` says the same."""
        return self == ResolvedLimits(version.limits, version.profile_name, version.is_provisional)


def resolve_limits(
    unit: StorageUnit,
    chosen: UnitLimits | None,
    of_customer: LimitProfile | None,
    default: LimitProfile,
    deviation: DeviationLimits,
) -> ResolvedLimits:
    """Return the limits of `unit` by its choice, by its customer's profile, or provisionally by the default profile."""
    source: ChosenLimits = (of_customer or default) if chosen is None else chosen.profile or chosen
    values = {name: getattr(source, name) for name in _VALUE_NAMES}
    if source.is_around_set_temperature:
        values |= _around(unit, source, deviation)
    limits = Limits(
        **values,
        gap_limit_seconds=unit.effective_staleness_limit_seconds,
        sensor_policy=SensorPolicy(chosen.sensor_policy) if chosen else SensorPolicy.ANY,
        named_sensor_id=chosen.named_sensor_id if chosen else None,
    )
    return ResolvedLimits(
        limits,
        source.name if isinstance(source, LimitProfile) else OWN_LIMITS,
        is_provisional=chosen is None and of_customer is None,
    )


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
def update_versions(unit_ids: Iterable[int], *, by: str = "", at: datetime | None = None, reason: str = "") -> int:
    """Create new versions for units whose limits changed; return how many. Six queries at most unless any is past.

    `at`: from when on a new version is in force, now by default; in the past it supersedes the versions since then. A
    unit's first version applies from its beginning, and so does the first one that a person has chosen. If a sensor's
    clock is ahead by seconds, a version from now on is in force after the latest reading, which is evaluated already.
    """
    # The lock on the units serialises concurrent updates of the same unit.
    units = list(StorageUnit.objects.filter(pk__in=list(unit_ids)).order_by("pk").select_for_update(no_key=True))
    if not units:
        return 0
    newest = latest_versions([unit.pk for unit in units])
    choices = UnitLimits.objects.filter(storage_unit__in=units).select_related("profile").in_bulk()
    of_customer = customer_profiles([unit.pk for unit in units if unit.pk not in choices])
    default, deviation = default_profile(), deviation_limits()
    # What applies to the past is evaluated again anyway.
    latest = {} if at is not None else _latest_readings_near(timezone.now(), newest)
    created, changed = [], []
    for unit in units:
        resolved = resolve_limits(unit, choices.get(unit.pk), of_customer.get(unit.pk), default, deviation)
        version = newest.get(unit.pk)
        is_backdated = version is not None and at is not None and at < version.valid_from
        if version is None or is_backdated or not resolved.is_in_force_by(version):
            valid_from = _valid_from(version, resolved, at, latest.get(unit.pk))
            is_past = version is not None and valid_from <= version.valid_from
            past = versions_by_unit([unit.pk])[unit.pk] if is_past else []
            created += _versions(unit, resolved, by, reason, valid_from, past)
        if _copy_to_unit(unit, resolved):
            changed.append(unit)
    first = {each.storage_unit_id: each for each in reversed(created)}
    supersede(
        each
        for unit_id, each in first.items()
        if unit_id in newest and (at is not None or each.valid_from <= newest[unit_id].valid_from)
    )
    LimitVersion.objects.bulk_create(created)
    _store_copies(changed)
    return len(first)


def _store_copies(units: Sequence[StorageUnit]) -> None:
    """Store what is in force for these units, with one statement for any number of them.

    Django's `bulk_update` compares every row with the ids of its whole batch, for each column.
    """
    if units:
        values = [[getattr(unit, name) for unit in units] for name in ("pk", *COPIED_COLUMNS)]
        with connection.cursor() as cursor:
            cursor.execute(_STORE_COPIES, values)


def supersede(new_versions: Iterable[LimitVersion]) -> None:
    """Make these new versions replace those since they begin, and have the readings since then evaluated again."""
    for version in new_versions:
        versions = LimitVersion.objects.filter(storage_unit=version.storage_unit_id)
        versions.filter(valid_from__gte=version.valid_from).update(superseded_at=timezone.now())
        Reevaluation.request(version.storage_unit_id, version.valid_from, Reevaluation.Reason.LIMITS)


def customer_profiles(unit_ids: Sequence[int]) -> dict[int, LimitProfile]:
    """Return the profiles that the customers of these units have chosen for units without a choice, by unit."""
    if not unit_ids:
        return {}
    units = StorageUnit.objects.filter(pk__in=unit_ids, facility__customer__limits__isnull=False)
    ids = dict(units.values_list("pk", "facility__customer__limits__profile_id"))
    profiles = LimitProfile.objects.in_bulk(set(ids.values()))
    return {unit_id: profiles[profile_id] for unit_id, profile_id in ids.items()}


class BackdatingError(NamedTuple):
    """What is wrong, and the field that is to be corrected."""

    field: str
    text: str


def backdating_error(applies_from: datetime | None, reason: str) -> BackdatingError | None:
    """Return what is wrong with a change of limits from then on, None if nothing is; no time means from now on."""
    if applies_from is None:
        return None
    if not EARLIEST_BACKDATED <= applies_from <= timezone.now():
        return BackdatingError("applies_from", "Limits can be backdated to a time between 2000 and now.")
    if not reason.strip():
        return BackdatingError("reason", "State why the limits are backdated.")
    return None


def limits_of(choice: UnitLimits) -> Limits:
    """Return the limits that a choice, which need not be saved, results in."""
    return resolve_limits(choice.storage_unit, choice, None, default_profile(), deviation_limits()).limits


def default_profile() -> LimitProfile:
    """Return the profile of units without one; if none is marked, the configured deviation after 30 minutes."""
    default = LimitProfile.objects.filter(is_default=True).first()
    return default or LimitProfile(name=DEFAULT, is_around_set_temperature=True)


def latest_versions(unit_ids: Sequence[int]) -> dict[int, LimitVersion]:
    """Return the newest version of each of these units that has one."""
    versions = LimitVersion.objects.filter(storage_unit__in=unit_ids).order_by("storage_unit_id", "-valid_from")
    return {version.storage_unit_id: version for version in versions.distinct("storage_unit_id")}


def version_at(unit_id: int, instant: datetime) -> LimitVersion | None:
    """Return the version in force for the unit at `instant`, None if it never had one."""
    versions = LimitVersion.objects.filter(storage_unit=unit_id, valid_from__lte=instant)
    version: LimitVersion | None = versions.order_by("-valid_from").first()
    return version


def versions_by_unit(unit_ids: Sequence[int]) -> dict[int, list[LimitVersion]]:
    """Return all versions of these units in order of time."""
    versions: dict[int, list[LimitVersion]] = {unit_id: [] for unit_id in unit_ids}
    for version in LimitVersion.objects.filter(storage_unit__in=unit_ids).order_by("storage_unit_id", "valid_from"):
        versions[version.storage_unit_id].append(version)
    return versions


class StalenessLimit(NamedTuple):
    """How long a unit's readings are valid from then on, and the interval between them, in seconds."""

    valid_from: datetime
    gap_limit_seconds: int
    interval_seconds: int


def staleness_since(since: datetime, past: Sequence[LimitVersion], now: StalenessLimit) -> list[StalenessLimit]:
    """Return the staleness limits from `since` on, as the versions of the past had them, and the one of `now`.

    Backdated limits replace what was allowed in the past, not how long its readings were valid.
    """
    known = [StalenessLimit(each.valid_from, each.gap_limit_seconds, each.interval_seconds) for each in past]
    before = [each for each in known if each.valid_from <= since] or known[:1] or [now]
    found = [before[-1]._replace(valid_from=since)]
    for each in [*(each for each in known if each.valid_from > since), now]:
        if each.gap_limit_seconds != found[-1].gap_limit_seconds:
            found.append(each)
    return found


def _versions(
    unit: StorageUnit,
    resolved: ResolvedLimits,
    by: str,
    reason: str,
    valid_from: datetime,
    past: Sequence[LimitVersion],
) -> list[LimitVersion]:
    """Return the versions of these limits from then on: one for each staleness limit since."""
    limits = resolved.limits
    now = StalenessLimit(max(valid_from, timezone.now()), limits.gap_limit_seconds, unit.interval_seconds)
    values = dataclasses.asdict(limits)
    return [
        LimitVersion(
            storage_unit=unit,
            profile_name=resolved.profile_name,
            is_provisional=resolved.is_provisional,
            changed_by=by,
            reason=reason,
            **values | staleness._asdict(),
        )
        for staleness in (staleness_since(valid_from, past, now) if past else [now._replace(valid_from=valid_from)])
    ]


def _valid_from(
    newest: LimitVersion | None, resolved: ResolvedLimits, at: datetime | None, after_latest: datetime | None
) -> datetime:
    """Return from when on a new version is in force; see `update_versions`."""
    if newest is None:
        return FIRST_VALID_FROM
    if newest.is_provisional and not resolved.is_provisional:
        return min(_provisional_since(newest), at or newest.valid_from)
    if at is not None and at < newest.valid_from:
        return at
    # The next instant if two changes come within a microsecond or a clock was set back.
    return max(after_latest or at or timezone.now(), newest.valid_from + datetime.resolution)


def _latest_readings_near(at: datetime, unit_ids: Iterable[int]) -> dict[int, datetime]:
    """Return the next instant after the latest reading of each of these units that has one at `at` or shortly after."""
    readings = LatestReading.objects.filter(
        pk__in=list(unit_ids), recorded_at__gte=at, recorded_at__lte=at + CLOCK_TOLERANCE
    )
    return {unit_id: latest + datetime.resolution for unit_id, latest in readings.values_list("pk", "recorded_at")}


def _provisional_since(newest: LimitVersion) -> datetime:
    """Return since when the unit has had only provisional limits, the newest of which is given."""
    versions = LimitVersion.objects.filter(storage_unit=newest.storage_unit_id)
    chosen = versions.filter(is_provisional=False).order_by("-valid_from").first()
    provisional = versions.filter(valid_from__gt=chosen.valid_from) if chosen else versions
    earliest: LimitVersion = provisional.earliest("valid_from")
    return earliest.valid_from


def _copy_to_unit(unit: StorageUnit, resolved: ResolvedLimits) -> bool:
    """Copy the limits to the columns of the unit, for conditions and charts; return whether they changed."""
    limits = resolved.limits
    values: dict[str, object] = {name: getattr(limits, name) for name in TEMPERATURE_FIELDS}
    values |= {
        "is_limit_outside": limits.is_inclusive,
        "is_low_critical_limit_outside": limits.is_low_critical_inclusive,
        "has_provisional_limits": resolved.is_provisional,
    }
    if all(getattr(unit, name) == value for name, value in values.items()):
        return False
    for name, value in values.items():
        setattr(unit, name, value)
    return True
