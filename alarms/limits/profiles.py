"""The limit profiles shipped with a new system, and what a unit has chosen; people change them and add others.

Temperatures are °C. Sources: USP <659>, <1079.2> (medicine, controlled room temperature); WHO PQS E006/TR06 (vaccine
refrigerators); HACCP practice (chilled food); EC 37/2005 and 89/108/EEC (quick-frozen food).
"""

from __future__ import annotations

from django.db.models import Q

from alarms.models import LimitProfile, UnitLimits
from alarms.models.limits import ChosenLimits
from customers.models import StorageUnit

MINUTE, HOUR, DAY = 60, 3_600, 86_400
DEFAULT = "around the set temperature"


def _delays(*, high: tuple[int, int], low: tuple[int, int]) -> dict[str, int]:
    """Return the warning and the critical delay of each side, in seconds.

    Where the critical limit is also the first, both are the same: nothing warned before it was crossed.
    """
    return {
        "high_delay_seconds": high[0],
        "high_critical_delay_seconds": high[1],
        "low_delay_seconds": low[0],
        "low_critical_delay_seconds": low[1],
    }


SHIPPED: dict[str, dict[str, object]] = {
    "refrigerated medicine": {
        "description": "2 to 8 °C. Between 8 and 15 °C for up to 24 hours in any 7 days; MKT of a day up to 8 °C.",
        "low_critical_c": 2.0,
        "low_warning_c": 2.0,
        "high_warning_c": 8.0,
        "high_critical_c": 15.0,
        "allowed_seconds": DAY,
        "allowed_window_seconds": 7 * DAY,
        "mkt_limit_c": 8.0,
        "mkt_window_seconds": DAY,
        **_delays(high=(15 * MINUTE, 5 * MINUTE), low=(15 * MINUTE, 15 * MINUTE)),
    },
    "vaccine refrigerator (WHO)": {
        "description": "2 to 8 °C. Alarms at 8 °C and above for 10 hours, and at −0.5 °C and below for 60 minutes.",
        "low_critical_c": -0.5,
        "low_warning_c": 2.0,
        "high_warning_c": 8.0,
        "high_critical_c": 8.0,
        "is_inclusive": True,
        **_delays(high=(10 * HOUR, 10 * HOUR), low=(HOUR, HOUR)),
    },
    "controlled room temperature": {
        "description": "20 to 25 °C. From 15 to 30 °C for up to 24 hours in any 30 days; MKT of 30 days up to 25 °C.",
        "low_critical_c": 15.0,
        "low_warning_c": 20.0,
        "high_warning_c": 25.0,
        "high_critical_c": 30.0,
        "allowed_seconds": DAY,
        "allowed_window_seconds": 30 * DAY,
        "mkt_limit_c": 25.0,
        "mkt_window_seconds": 30 * DAY,
        **_delays(high=(30 * MINUTE, 5 * MINUTE), low=(30 * MINUTE, 5 * MINUTE)),
    },
    "ultra-low freezer": {
        "description": "−90 to −60 °C.",
        "low_critical_c": -90.0,
        "low_warning_c": -90.0,
        "high_warning_c": -60.0,
        "high_critical_c": -60.0,
        **_delays(high=(30 * MINUTE, 30 * MINUTE), low=(30 * MINUTE, 30 * MINUTE)),
    },
    "frozen food": {
        "description": "−18 °C or colder; up to −15 °C for a while, as in a defrost.",
        "high_warning_c": -18.0,
        "high_critical_c": -15.0,
        **_delays(high=(45 * MINUTE, 5 * MINUTE), low=(45 * MINUTE, 5 * MINUTE)),
    },
    "chilled food (HACCP)": {
        "description": "0 to 5 °C; outside for less than 4 hours in all within a day.",
        "low_critical_c": 0.0,
        "low_warning_c": 0.0,
        "high_warning_c": 5.0,
        "high_critical_c": 8.0,
        "allowed_seconds": 4 * HOUR,
        "allowed_window_seconds": DAY,
        **_delays(high=(30 * MINUTE, 5 * MINUTE), low=(30 * MINUTE, 30 * MINUTE)),
    },
    DEFAULT: {
        "description": "The set temperature ± 2 K (warning) and ± 5 K (critical), or as configured.",
        "is_around_set_temperature": True,
        "is_default": True,
        **_delays(high=(30 * MINUTE, 5 * MINUTE), low=(30 * MINUTE, 5 * MINUTE)),
    },
}


def ensure_shipped(**_: object) -> None:
    """Create the shipped profiles if there is none; connected to `post_migrate`."""
    if not LimitProfile.objects.exists():
        LimitProfile.objects.bulk_create([LimitProfile(name=name, **values) for name, values in SHIPPED.items()])


# The columns of a choice that custom limits use.
VALUE_NAMES = tuple(field.name for field in ChosenLimits._meta.local_fields)


def limits_choice(unit: StorageUnit) -> UnitLimits:
    """Return the choice of `unit`; without one, an unsaved choice of its customer's or the default profile."""
    choices = UnitLimits.objects.select_related("profile", "named_sensor")
    return choices.filter(storage_unit=unit).first() or _default_choice(unit)


def limit_values(choice: UnitLimits) -> dict[str, object]:
    """Return the chosen limits: the profile's or, without one, the unit's own."""
    source: ChosenLimits = choice.profile or choice
    return {name: getattr(source, name) for name in VALUE_NAMES}


def profile_values(profile: LimitProfile) -> dict[str, object]:
    """Return the limits of a profile by name."""
    return {name: getattr(profile, name) for name in VALUE_NAMES}


def detach_from_profile(choice: UnitLimits) -> None:
    """Turn the choice into custom limits that start with the profile's values. It is not saved."""
    for name, value in limit_values(choice).items():
        setattr(choice, name, value)
    choice.profile = None


def _default_choice(unit: StorageUnit) -> UnitLimits:
    profiles = LimitProfile.objects.filter(Q(is_default=True) | Q(customers__customer__facilities__units=unit))
    default = profiles.order_by("is_default").distinct().first()
    return UnitLimits(storage_unit=unit, profile=default, is_around_set_temperature=default is None)
