"""Values that no form of the admin sends are refused, instead of ending in an error of the server."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    """Return the client of a superuser, who is shown pages of errors rather than exceptions."""
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize(
    ("page", "fields"),
    [
        ("admin:auth_group_changelist", {"action": "delete_selected", "_selected_action": "x'"}),
        ("admin:customers_apitoken_changelist", {"action": "revoke", "_selected_action": "x'"}),
        ("admin:auth_user_changelist", {"action": "delete_selected", "_selected_action": "9" * 5_000}),
        ("admin:customers_facility_add", {"customer": "x'"}),
        ("admin:alarms_unitlimits_add", {"storage_unit": "x'", "profile": "x'", "named_sensor": "x'"}),
        ("admin:alarms_unitlimits_add", {"storage_unit": "9" * 5_000}),
        ("admin:alarms_unitlimits_add", {"storage_unit": "9" * 30}),
    ],
)
def test_a_form_with_a_value_that_cannot_be_used(staff: Client, page: str, fields: dict[str, str]) -> None:
    assert staff.post(reverse(page), fields).status_code in (200, 302, 400)


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("admin:django_celery_beat_periodictask_changelist", {"start_time__year": "9999"}),
        ("admin:django_celery_beat_periodictask_changelist", {"start_time__year": "9" * 30}),
        ("admin:customers_facility_add", {"customer": "x'"}),
    ],
)
def test_a_query_with_a_value_that_cannot_be_used(staff: Client, page: str, query: dict[str, str]) -> None:
    assert staff.get(reverse(page), query).status_code in (200, 302, 400)


def test_the_refusal_says_what_is_wrong_and_nothing_is_changed(staff: Client) -> None:
    before = Group.objects.count()

    response = staff.post(
        reverse("admin:auth_group_changelist"), {"action": "delete_selected", "_selected_action": "x'", "post": "yes"}
    )

    assert (response.status_code, response.content[:43]) == (400, b"The request has a value that cannot be used")
    assert Group.objects.count() == before


def test_a_schedule_that_cannot_be_one_is_shown_with_what_is_wrong(staff: Client) -> None:
    times = {"minute": "-1", "hour": "*", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*"}
    page = staff.post(reverse("admin:django_celery_beat_crontabschedule_add"), {**times, "timezone": "UTC"})

    assert page.status_code == 200
    assert "minute" in page.context["adminform"].errors
