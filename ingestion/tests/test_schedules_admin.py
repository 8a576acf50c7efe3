"""The polling schedules in the admin: every source with its interval and next run, next to beat's entries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ingestion.models import Source
from tests.admin_pages import assert_queries_stay
from tests.factories import SourceFactory, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

URL = "/admin/ingestion/sourceschedule/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


def save_list(staff: Client, source: Source, **fields: str) -> None:
    form = {
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": str(source.pk),
        "form-0-interval_seconds": str(source.interval_seconds),
        "_save": "Save",
    }
    if source.is_paused:
        form["form-0-is_paused"] = "on"
    response = staff.post(URL, form | {f"form-0-{name}": value for name, value in fields.items()})
    assert response.status_code == 302, response.context["cl"].formset.errors
    source.refresh_from_db()


def test_each_polled_source_is_listed_with_its_interval_and_next_run(staff: Client) -> None:
    SourceFactory(customer__customer_code="A", name="polled", interval_seconds=77)
    Source.objects.update(next_due_at="2099-01-02T03:04:05Z")
    SourceFactory(name="pushed", url="")

    page = staff.get(URL).content.decode()

    assert "polled" in page
    assert 'value="77"' in page
    assert "2099-01-02 03:04:05" in page
    assert "pushed" not in page


def test_a_changed_interval_applies_at_once_and_leaves_the_rest_alone(staff: Client) -> None:
    source = SourceFactory(interval_seconds=86_400)
    Source.objects.update(next_due_at=timezone.now() + timedelta(days=1), failures_in_a_row=3)

    save_list(staff, source, interval_seconds="60")

    assert source.interval_seconds == 60
    assert source.next_due_at <= timezone.now()
    assert source.failures_in_a_row == 3


def test_a_source_is_paused_in_the_list(staff: Client) -> None:
    source = SourceFactory()

    save_list(staff, source, is_paused="on")

    assert source.is_paused
    assert "–" in staff.get(URL).content.decode()


def test_an_interval_out_of_range_is_refused(staff: Client) -> None:
    source = SourceFactory(interval_seconds=300)
    response = staff.post(
        URL,
        {
            "form-TOTAL_FORMS": "1",
            "form-INITIAL_FORMS": "1",
            "form-0-id": str(source.pk),
            "form-0-interval_seconds": "0",
            "_save": "Save",
        },
    )
    assert response.status_code == 200
    source.refresh_from_db()
    assert source.interval_seconds == 300


def test_it_stands_next_to_beats_entries_and_each_page_explains_the_other(staff: Client) -> None:
    apps = {app["app_label"]: app for app in staff.get("/admin/").context["app_list"]}
    assert "Polling schedules" in [model["name"] for model in apps["django_celery_beat"]["models"]]

    beat = reverse("admin:django_celery_beat_periodictask_changelist")
    assert f'href="{beat}"' in staff.get(URL).content.decode()
    assert f'href="{URL}"' in staff.get(beat).content.decode()


@pytest.mark.parametrize(("permission", "status"), [(None, 403), ("view_source", 200)])
def test_whoever_may_view_sources_may_view_their_schedules(client: Client, permission: str | None, status: int) -> None:
    user = UserFactory(is_staff=True)
    if permission:
        user.user_permissions.add(Permission.objects.get(codename=permission))
    client.force_login(user)
    assert client.get(URL).status_code == status


def test_it_takes_no_more_queries_for_more_sources(staff: Client) -> None:
    assert_queries_stay(staff, URL, SourceFactory)


def test_a_changed_interval_of_a_source_applies_at_once(staff: Client) -> None:
    source = SourceFactory(interval_seconds=86_400)
    Source.objects.update(next_due_at=timezone.now() + timedelta(days=1))
    page = staff.get(f"/admin/ingestion/source/{source.pk}/change/")
    form = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
    form |= {"interval_seconds": 60, "credentials_secret": "", "unit_codes": "", "null_values": ""}

    response = staff.post(f"/admin/ingestion/source/{source.pk}/change/", form)

    assert response.status_code == 302, response.context["adminform"].form.errors
    source.refresh_from_db()
    assert (source.interval_seconds, source.next_due_at <= timezone.now()) == (60, True)
