"""The shipped profiles say what their sources say."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError

from alarms.limits.profiles import SHIPPED, ensure_shipped
from alarms.models import LimitProfile
from alarms.tests.evaluation import at, budgets_in, found_in, series
from alarms.thresholds import Limits, Severity, Side

pytestmark = pytest.mark.django_db

HOUR, DAY = 3_600, 86_400


def values_of(name: str) -> dict[str, object]:
    return {key: value for key, value in SHIPPED[name].items() if key in Limits.__dataclass_fields__}


def limits_of(name: str) -> Limits:
    return Limits(**values_of(name))  # type: ignore[arg-type]  # the values have the types of the columns


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
    assert limits.budget_side_of(30.0) is limits.budget_side_of(15.0) is limits.budget_side_of(14.0) is None
    assert (limits.low_critical_c, limits.high_critical_c, limits.allowed_seconds) == (15.0, 30.0, None)
    assert (limits.mkt_limit_c, limits.mkt_window_seconds) == (25.0, 30 * DAY)


def test_controlled_room_temperature_allows_spikes_above_30_degrees_for_a_day() -> None:
    values = values_of("controlled room temperature") | {"gap_limit_seconds": 7_200}
    spikes = [*[31] * 13, *[26] * 10, *[39] * 11, 26]
    readings = series(*spikes, every=60)
    (excursion,) = found_in(readings, **values)

    (budget,) = budgets_in([excursion], readings, Side.HIGH, **values)

    # The 24th hour above 30 °C, ten of which were between the spikes.
    assert (budget.started_at, budget.peak_c) == (at(34 * 60), 39.0)


def test_refrigerated_medicine_has_a_budget_of_its_own_for_time_below_2_degrees() -> None:
    values = values_of("refrigerated medicine")
    # Three dips of five minutes, none of which is an alarm, and an hour too warm between them.
    readings = series(5, 1, 5, *[9] * 12, 5, 1, 5, 5, 1, 5, every=5)
    found = found_in(readings, **values)

    (budget,) = budgets_in(found, readings, Side.LOW, **values)

    assert [each.alarm_at is None for each in found] == [True, False, True, True]
    assert (budget.started_at, budget.peak_c) == (at(5 * 20), 1.0)
    assert budgets_in(found, readings, Side.HIGH, **values) == []


def test_refrigerated_medicine_may_be_warm_for_a_day_within_the_window_of_its_mkt() -> None:
    limits = limits_of("refrigerated medicine")
    assert (limits.low_critical_c, limits.high_critical_c, limits.mkt_limit_c) == (2.0, 15.0, 8.0)
    assert limits.budget(Side.HIGH) == (DAY, DAY) == (limits.mkt_window_seconds, DAY)
    assert limits.allowed_seconds is None


@pytest.mark.parametrize(("name", "low_c", "high_c"), [("refrigerator", 2.0, 8.0), ("freezer", -50.0, -15.0)])
def test_the_cdc_has_profiles_of_its_own(name: str, low_c: float, high_c: float) -> None:
    limits = limits_of(f"vaccine {name} (CDC)")
    assert (limits.low_warning_c, limits.high_warning_c) == (low_c, high_c)


def test_an_inclusive_low_critical_limit_requires_a_warning_before_it() -> None:
    profile = LimitProfile(name="x", low_critical_c=-0.5, is_low_critical_inclusive=True)
    with pytest.raises(ValidationError, match="low warning limit above it"):
        profile.full_clean()


def test_an_update_adds_the_profiles_of_the_cdc_and_leaves_all_others_alone() -> None:
    LimitProfile.objects.filter(name="vaccine freezer (CDC)").delete()
    own = LimitProfile.objects.get(name="vaccine refrigerator (CDC)")
    own.high_warning_c = 7.0
    own.save()
    before = set(LimitProfile.objects.values_list("pk", "updated_at"))

    import_module("alarms.migrations.0013_profiles_of_the_cdc").add_profiles(apps, None)

    added = LimitProfile.objects.exclude(pk__in=[pk for pk, _ in before]).get()
    shipped = SHIPPED["vaccine freezer (CDC)"]
    assert {name: getattr(added, name) for name in shipped} == shipped
    assert before < set(LimitProfile.objects.values_list("pk", "updated_at"))


def test_a_new_system_gets_the_profiles_of_the_cdc_with_all_others() -> None:
    LimitProfile.objects.all().delete()

    import_module("alarms.migrations.0013_profiles_of_the_cdc").add_profiles(apps, None)
    assert not LimitProfile.objects.exists()
    ensure_shipped()

    assert set(LimitProfile.objects.values_list("name", flat=True)) == SHIPPED.keys()


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"high_allowed_seconds": 100_000}, "high_allowed_seconds", "cannot exceed the window"),
        ({"low_allowed_c": 1.0}, "low_allowed_c", "only applies together with an allowed time"),
        ({"low_allowed_seconds": 60, "low_allowed_c": 3.0}, "low_allowed_c", "within the limits"),
        ({"high_allowed_seconds": 60, "high_allowed_c": 7.0}, "high_allowed_c", "within the limits"),
    ],
)
def test_a_budget_of_one_side_counts_time_outside_in_a_window(
    values: dict[str, float], field: str, message: str
) -> None:
    with pytest.raises(ValidationError, match=message) as error:
        LimitProfile(name="x", low_warning_c=2.0, high_warning_c=8.0, **values).full_clean()
    assert field in error.value.message_dict
