"""The shipped profiles say what their sources say."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from alarms.limits.profiles import SHIPPED
from alarms.models import LimitProfile
from alarms.tests.evaluation import at, found_in, series
from alarms.thresholds import Limits, Severity

pytestmark = pytest.mark.django_db

HOUR, DAY = 3_600, 86_400


def limits_of(name: str) -> Limits:
    values = {key: value for key, value in SHIPPED[name].items() if key in Limits.__dataclass_fields__}
    return Limits(**values)  # type: ignore[arg-type]  # the values have the types of the columns


@pytest.mark.parametrize("name", SHIPPED)
def test_every_profile_is_valid_and_names_its_source_or_says_that_it_has_none(name: str) -> None:
    LimitProfile(name="another name", **SHIPPED[name] | {"is_default": False}).full_clean()
    description = str(SHIPPED[name]["description"])
    assert "Source: " in description or "without a source" in description


@pytest.mark.parametrize(
    ("temperature_c", "severity"),
    [
        (8.0, None),
        (8.1, Severity.CRITICAL),
        (2.0, None),
        (1.9, Severity.WARNING),
        (-0.4, Severity.WARNING),
        (-0.5, Severity.CRITICAL),
        (-0.6, Severity.CRITICAL),
    ],
)
def test_of_the_who_only_the_low_limit_is_inclusive(temperature_c: float, severity: Severity | None) -> None:
    assert limits_of("vaccine refrigerator (WHO)").severity_of(temperature_c) is severity


def test_the_who_alarms_after_ten_hours_too_warm_and_one_hour_at_minus_half_a_degree() -> None:
    values = {key: value for key, value in SHIPPED["vaccine refrigerator (WHO)"].items() if key != "description"}
    (warm,) = found_in(series(*[9] * 13, every=60), **values | {"gap_limit_seconds": 3 * HOUR})
    assert (warm.alarm_at, warm.critical_alarm_at) == (at(600), at(600))
    (cold,) = found_in(series(*[-0.5] * 13, every=10), **values)
    assert (cold.alarm_at, cold.critical_alarm_at) == (at(60), at(60))


def test_controlled_room_temperature_has_no_cap_on_the_time_between_15_and_30_degrees_but_on_its_mkt() -> None:
    limits = limits_of("controlled room temperature")
    assert (limits.low_critical_c, limits.high_critical_c, limits.allowed_seconds) == (15.0, 30.0, None)
    assert (limits.mkt_limit_c, limits.mkt_window_seconds) == (25.0, 30 * DAY)


def test_refrigerated_medicine_may_be_warm_for_a_day_within_the_window_of_its_mkt() -> None:
    limits = limits_of("refrigerated medicine")
    assert (limits.low_critical_c, limits.high_critical_c, limits.mkt_limit_c) == (2.0, 15.0, 8.0)
    assert limits.allowed_seconds == limits.allowed_window_seconds == limits.mkt_window_seconds == DAY


@pytest.mark.parametrize(("name", "low_c", "high_c"), [("refrigerator", 2.0, 8.0), ("freezer", -50.0, -15.0)])
def test_the_cdc_has_profiles_of_its_own(name: str, low_c: float, high_c: float) -> None:
    limits = limits_of(f"vaccine {name} (CDC)")
    assert (limits.low_warning_c, limits.high_warning_c) == (low_c, high_c)


def test_an_inclusive_low_critical_limit_requires_a_warning_before_it() -> None:
    profile = LimitProfile(name="x", low_critical_c=-0.5, is_low_critical_inclusive=True)
    with pytest.raises(ValidationError, match="low warning limit above it"):
        profile.full_clean()
