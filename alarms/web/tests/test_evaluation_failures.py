"""Where people see that a unit could not be evaluated: the overview, the unit's page and the admin."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alarms.models import EvaluationFailure
from customers.models import StorageUnit
from tests.admin_pages import listed_rows
from tests.alarm_factories import AlarmFactory, EvaluationFailureFactory
from tests.factories import MembershipFactory, StaffFactory, StorageUnitFactory, store_reading

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit() -> StorageUnit:
    unit = StorageUnitFactory()
    store_reading(unit)
    return unit


@pytest.fixture
def member(client: Client, unit: StorageUnit) -> Client:
    client.force_login(MembershipFactory(customer=unit.facility.customer, user__username="mary").user)
    return client


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(StaffFactory())
    return client


def text_of(client: Client, url: str) -> str:
    return client.get(url).content.decode()


def test_the_tile_of_a_unit_says_so_next_to_its_alarm(member: Client, unit: StorageUnit) -> None:
    before = member.get("/")
    assert "not evaluated" not in before.content.decode()
    EvaluationFailureFactory(storage_unit=unit)
    EvaluationFailureFactory(storage_unit=unit, part="budget")
    assert "◆ not evaluated<" in text_of(member, "/")
    AlarmFactory(storage_unit=unit)
    assert "◆ not evaluated · alarm<" in text_of(member, "/")
    assert member.get("/", headers={"If-None-Match": before.headers["ETag"]}).status_code == 200


def test_another_customer_sees_nothing_of_it(unit: StorageUnit) -> None:
    EvaluationFailureFactory(storage_unit=unit)
    client = Client()
    client.force_login(MembershipFactory().user)
    assert "not evaluated" not in text_of(client, "/")


def test_the_page_of_a_unit_says_what_is_not_evaluated_and_shows_the_error_to_the_operator(
    member: Client, staff: Client, unit: StorageUnit
) -> None:
    EvaluationFailureFactory(storage_unit=unit, part="budget", attempts=3)
    EvaluationFailureFactory()
    url = reverse("unit", args=[unit.public_id])
    text = text_of(member, url)
    assert text.count("Not evaluated") == 1
    assert "cumulative time outside. Readings are stored" in text
    assert "Attempts so far: 3" in text
    assert "unreadable" not in text
    assert "the detector&#x27;s state is unreadable" in text_of(staff, url)


def test_the_operator_is_informed_on_the_overview(member: Client, staff: Client, unit: StorageUnit) -> None:
    EvaluationFailureFactory(storage_unit=unit)
    notice = "1 storage unit could not be evaluated"
    assert notice in text_of(staff, "/")
    assert notice not in text_of(member, "/")


def test_the_admin_shows_the_whole_error_and_retries_it(staff: Client) -> None:
    failure = EvaluationFailureFactory(next_attempt_at=timezone.now() + timedelta(hours=1))
    changelist = reverse("admin:alarms_evaluationfailure_changelist")
    assert len(listed_rows(staff.get(changelist))) == 1
    assert "line 7, in step" in text_of(staff, reverse("admin:alarms_evaluationfailure_change", args=[failure.pk]))
    staff.post(changelist, {"action": "retry_now", "_selected_action": [failure.pk]})
    assert EvaluationFailure.objects.get().next_attempt_at <= timezone.now()
