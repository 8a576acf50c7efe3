"""What limits people choose for a unit: a profile's, or its own."""

from __future__ import annotations

from typing import Any

from alarms.models import LimitProfile, UnitLimits
from alarms.models.limits import ChosenLimits
from customers.models import StorageUnit

# What a unit that has no profile chooses itself.
VALUE_NAMES = tuple(field.name for field in ChosenLimits._meta.local_fields)


def choice_of(unit: StorageUnit) -> UnitLimits:
    """What `unit` chose; where it chose nothing one that is not saved, with what it has by default."""
    choices = UnitLimits.objects.select_related("profile", "named_sensor")
    return choices.filter(storage_unit=unit).first() or _default_choice(unit)


def values_of(choice: UnitLimits) -> dict[str, Any]:
    """The limits that were chosen: the profile's, or, without one, the unit's own."""
    source: ChosenLimits = choice.profile or choice
    return {name: getattr(source, name) for name in VALUE_NAMES}


def leave_profile(choice: UnitLimits) -> None:
    """Let the choice have limits of its own, which begin as those it had; it is not saved."""
    for name, value in values_of(choice).items():
        setattr(choice, name, value)
    choice.profile = None


def _default_choice(unit: StorageUnit) -> UnitLimits:
    default = LimitProfile.objects.filter(is_default=True).first()
    return UnitLimits(storage_unit=unit, profile=default, is_around_set_temperature=default is None)
