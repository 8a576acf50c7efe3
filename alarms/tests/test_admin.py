"""The admin of alarms: lists that stay fast, and read-only rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from alarms.limits.profiles import SHIPPED
from alarms.models import Alarm, Excursion, LimitProfile, LimitVersion, MaintenanceWindow, UnitLimits
from tests.admin_pages import assert_queries_stay, listed_rows
from tests.alarm_factories import (
    AlarmFactory,
    EvaluationFailureFactory,
    ExcursionFactory,
    LimitProfileFactory,
    MaintenanceWindowFactory,
)
from tests.factories import CustomerFactory, StaffFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory(username="ann"))
    return client


def page_of(model: str | None, page: str, *args: object) -> str:
    return reverse(f"admin:alarms_{model}_{page}", args=args)


def chosen_limits() -> UnitLimits:
    return UnitLimits.objects.create(storage_unit=StorageUnitFactory(), profile=LimitProfile.objects.earliest("pk"))


def limit_version() -> LimitVersion:
    version: LimitVersion = LimitVersion.objects.get(storage_unit=StorageUnitFactory())
    return version


@pytest.mark.parametrize(
    ("model", "grow"),
    [
        ("alarm", AlarmFactory),
        ("excursion", ExcursionFactory),
        ("evaluationfailure", EvaluationFailureFactory),
        ("unitlimits", chosen_limits),
        ("limitversion", limit_version),
        ("maintenancewindow", MaintenanceWindowFactory),
    ],
)
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    staff: Client, model: str, grow: Callable[[], Model]
) -> None:
    assert_queries_stay(staff, page_of(model, "changelist"), grow)


def test_the_list_of_profiles_counts_their_units_in_few_queries(
    staff: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    chosen_limits()
    with django_assert_max_num_queries(20):
        assert len(listed_rows(staff.get(page_of("limitprofile", "changelist")))) == len(SHIPPED)


@pytest.mark.parametrize("grow", [AlarmFactory, ExcursionFactory, limit_version])
def test_rows_written_by_the_system_are_read_only(
    staff: Client, grow: Callable[..., Alarm] | Callable[..., Excursion] | Callable[[], LimitVersion]
) -> None:
    row = grow()
    model = row._meta.model_name
    assert staff.get(page_of(model, "change", row.pk)).status_code == 200
    assert staff.get(page_of(model, "add")).status_code == 403
    assert staff.post(page_of(model, "change", row.pk), {}).status_code == 403
    assert staff.post(page_of(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_an_alarm_shows_its_events_and_links_to_its_page(staff: Client) -> None:
    alarm = AlarmFactory()
    assert "opened" in staff.get(page_of("alarm", "change", alarm.pk)).content.decode()
    listed = staff.get(page_of("alarm", "changelist")).content.decode()
    assert reverse("alarm", args=[alarm.public_id]) in listed


def test_alarms_are_found_by_customer_unit_state_and_time(staff: Client) -> None:
    alarm = AlarmFactory()
    AlarmFactory(state="acknowledged", acknowledged_at=alarm.opened_at)
    assert alarm.storage_unit is not None
    for query in ({"q": alarm.customer.customer_code}, {"q": alarm.storage_unit.unit_code}, {"state__exact": "open"}):
        assert listed_rows(staff.get(page_of("alarm", "changelist"), query)) == [alarm]
    assert listed_rows(staff.get(page_of("alarm", "changelist"), {"since": "hour"})) == []


def test_a_change_of_a_profile_records_the_person(staff: Client) -> None:
    profile = LimitProfileFactory()
    unit = StorageUnitFactory()
    UnitLimits.objects.create(storage_unit=unit, profile=profile)
    page = staff.get(page_of("limitprofile", "change", profile.pk))
    form = page.context["adminform"].form
    said = {name: value for name, value in form.initial.items() if value is not None and value is not False}
    staff.post(page_of("limitprofile", "change", profile.pk), said | {"high_warning_c": 6.5})
    newest = LimitVersion.objects.filter(storage_unit=unit).latest("valid_from")
    assert (newest.high_warning_c, newest.changed_by) == (6.5, "ann")


def test_a_profile_in_use_cannot_be_deleted(staff: Client) -> None:
    used, default = chosen_limits().profile, LimitProfile.objects.get(is_default=True)
    assert used is not None
    for profile in (used, default):
        assert staff.post(page_of("limitprofile", "delete", profile.pk), {"post": "yes"}).status_code == 403
    free = LimitProfileFactory()
    assert staff.post(page_of("limitprofile", "delete", free.pk), {"post": "yes"}).status_code == 302


def test_a_maintenance_window_records_the_person(staff: Client) -> None:
    said = {
        "customer": CustomerFactory().pk, "reason": "Stocktaking", "starts_at_0": "2027-01-10", "starts_at_1": "08:00",
        "ends_at_0": "2027-01-10", "ends_at_1": "09:00",
    }  # fmt: skip
    staff.post(page_of("maintenancewindow", "add"), said)
    author = MaintenanceWindow.objects.get().created_by
    assert author is not None
    assert author.get_username() == "ann"
