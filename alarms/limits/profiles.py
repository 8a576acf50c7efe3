"""The limit profiles shipped with a new system, and what a unit has chosen; people change them and add others.

Temperatures are °C. Each description names its sources, marks secondary ones and states doubts. Delays without a source
are practice: a gate of 20 minutes fires on every compressor cycle and defrost, one of 45 minutes did not (a published
account, secondary); the critical delay of 5 minutes outlasts a single wrong reading.
"""

from __future__ import annotations

from django.db.models import Q

from alarms.models import LimitProfile, UnitLimits
from alarms.models.limit_locks import lock_limits_of_units
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
        "description": (
            "2 to 8 °C. Up to 15 °C for at most 24 hours within the window of the MKT, a day, if it stays up to 8 °C. "
            "Source: USP <659>, controlled cold temperature (secondary: summaries of the chapter); MKT window: USP "
            "<1079.2> (secondary: PF 44(4)). Time below 2 °C is not allowed at all and has a budget of its own: 15 "
            "minutes in a day, so that short dips that end before the alarm delay do not add up unnoticed. Doubts: "
            "that budget and the delays are practice."
        ),
        "low_critical_c": 2.0,
        "low_warning_c": 2.0,
        "high_warning_c": 8.0,
        "high_critical_c": 15.0,
        "high_allowed_seconds": DAY,
        "high_allowed_window_seconds": DAY,
        "low_allowed_seconds": 15 * MINUTE,
        "low_allowed_window_seconds": DAY,
        "mkt_limit_c": 8.0,
        "mkt_window_seconds": DAY,
        **_delays(high=(15 * MINUTE, 5 * MINUTE), low=(15 * MINUTE, 15 * MINUTE)),
    },
    "vaccine refrigerator (WHO)": {
        "description": (
            "2 to 8 °C. Alarms above 8 °C for 10 hours, and at or below −0.5 °C for 60 minutes. Source: WHO PQS "
            "E006/TR06 (secondary: manuals of qualified devices; inclusive low limit also in E006/TR07). Doubts: the "
            "WHO has no alarm between −0.5 and 2 °C; here it is a warning after an hour, and crossing −0.5 °C after "
            "that is critical at once."
        ),
        "low_critical_c": -0.5,
        "low_warning_c": 2.0,
        "high_warning_c": 8.0,
        "high_critical_c": 8.0,
        "is_low_critical_inclusive": True,
        **_delays(high=(10 * HOUR, 10 * HOUR), low=(HOUR, HOUR)),
    },
    "vaccine refrigerator (CDC)": {
        "description": (
            "2 to 8 °C. Source: CDC Vaccine Storage and Handling Toolkit, March 2024, which wants readings at least "
            "every 30 minutes and action on every excursion (secondary: summaries). Doubts: the toolkit gives no "
            "delays and no critical limits of its own; the delays are practice."
        ),
        "low_critical_c": 2.0,
        "low_warning_c": 2.0,
        "high_warning_c": 8.0,
        "high_critical_c": 8.0,
        **_delays(high=(30 * MINUTE, 30 * MINUTE), low=(15 * MINUTE, 15 * MINUTE)),
    },
    "vaccine freezer (CDC)": {
        "description": (
            "−50 to −15 °C. Source: CDC Vaccine Storage and Handling Toolkit, March 2024 (secondary: summaries). "
            "Doubts: the toolkit gives no delays and no critical limits of its own; the delays are practice and "
            "outlast a defrost."
        ),
        "low_critical_c": -50.0,
        "low_warning_c": -50.0,
        "high_warning_c": -15.0,
        "high_critical_c": -15.0,
        **_delays(high=(45 * MINUTE, 45 * MINUTE), low=(45 * MINUTE, 45 * MINUTE)),
    },
    "controlled room temperature": {
        "description": (
            "20 to 25 °C. From 15 to 30 °C is allowed while the MKT of 30 days is up to 25 °C; spikes above 30 °C, up "
            "to 40 °C, for at most 24 hours. Source: USP <659> (secondary: summaries of the chapter); MKT window: USP "
            "<1079.2> (secondary: PF 44(4)). Doubts: the chapter does not say whether the 24 hours are of one spike or "
            "of all; here all spikes of 30 days add up. Each is also a critical alarm from 30 °C on, so that there is "
            "time to act; above 40 °C has none of its own. Delays are practice."
        ),
        "low_critical_c": 15.0,
        "low_warning_c": 20.0,
        "high_warning_c": 25.0,
        "high_critical_c": 30.0,
        "high_allowed_seconds": DAY,
        "high_allowed_window_seconds": 30 * DAY,
        "high_allowed_c": 30.0,
        "mkt_limit_c": 25.0,
        "mkt_window_seconds": 30 * DAY,
        **_delays(high=(30 * MINUTE, 5 * MINUTE), low=(30 * MINUTE, 5 * MINUTE)),
    },
    "ultra-low freezer": {
        "description": (
            "−90 to −60 °C. Source: CDC Vaccine Storage and Handling Toolkit, ultra-cold vaccines (secondary). Delays "
            "are practice."
        ),
        "low_critical_c": -90.0,
        "low_warning_c": -90.0,
        "high_warning_c": -60.0,
        "high_critical_c": -60.0,
        **_delays(high=(30 * MINUTE, 30 * MINUTE), low=(30 * MINUTE, 30 * MINUTE)),
    },
    "frozen food": {
        "description": (
            "−18 °C or colder; up to −15 °C for a while, as in a defrost. Source: Directive 89/108/EEC, which "
            "tolerates 3 K for a short time in transport and local distribution; monitoring: Regulation (EC) 37/2005. "
            "Doubts: it is applied to storage here. The delay of 45 minutes is practice (secondary)."
        ),
        "high_warning_c": -18.0,
        "high_critical_c": -15.0,
        **_delays(high=(45 * MINUTE, 5 * MINUTE), low=(45 * MINUTE, 5 * MINUTE)),
    },
    "chilled food (HACCP)": {
        "description": (
            "0 to 5 °C; outside for less than 4 hours in all within a day. Source: FDA Food Code 3-501.16 and "
            "3-501.19 (secondary). Doubts: national rules and single foods differ; 8 °C as critical limit and 0 °C "
            "are practice, as are the delays."
        ),
        "low_critical_c": 0.0,
        "low_warning_c": 0.0,
        "high_warning_c": 5.0,
        "high_critical_c": 8.0,
        "allowed_seconds": 4 * HOUR,
        "allowed_window_seconds": DAY,
        **_delays(high=(30 * MINUTE, 5 * MINUTE), low=(30 * MINUTE, 30 * MINUTE)),
    },
    DEFAULT: {
        "description": (
            "The set temperature ± 2 K (warning) and ± 5 K (critical), or as configured. Practice, without a source; "
            "choose the profile of the goods instead."
        ),
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


def lock_unit(unit_id: int) -> StorageUnit:
    """Return the unit with its facility, locked so that nobody else changes its limits meanwhile."""
    lock_limits_of_units([unit_id])
    unit: StorageUnit = StorageUnit.objects.select_related("facility").get(pk=unit_id)
    return unit


def limit_values(choice: UnitLimits) -> dict[str, object]:
    """Return the chosen limits: the profile's or, without one, the unit's own."""
    return own_values(choice.profile or choice)


def own_values(limits: ChosenLimits) -> dict[str, object]:
    """Return the limits of a profile, or those that a choice has itself, by name."""
    return {name: getattr(limits, name) for name in VALUE_NAMES}


def detach_from_profile(choice: UnitLimits) -> None:
    """Turn the choice into custom limits that start with the profile's values. It is not saved."""
    for name, value in limit_values(choice).items():
        setattr(choice, name, value)
    choice.profile = None


def _default_choice(unit: StorageUnit) -> UnitLimits:
    profiles = LimitProfile.objects.filter(Q(is_default=True) | Q(customers__customer__facilities__units=unit))
    default = profiles.order_by("is_default").distinct().first()
    return UnitLimits(storage_unit=unit, profile=default, is_around_set_temperature=default is None)
