"""The admin site: its start page, and that its lists stay fast with many rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import Facility, StorageUnit
from readings.storage.partitions import ensure_partitions, ensure_partitions_ahead, months_between
from temperature_site.admin.site import status_lines
from temperature_site.health.broker import BrokerOut
from tests.admin_pages import MOST_QUERIES
from tests.factories import (
    ConflictFactory,
    CustomerFactory,
    RejectedRowFactory,
    SourceFactory,
    StaffFactory,
    StorageUnitFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("uncached_health")]

UNITS = 10_000


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


def status_texts() -> dict[str, tuple[str, str]]:
    return {line.name: (line.text, line.tone) for line in status_lines(timezone.now())}


class TestStartPage:
    def test_it_shows_late_and_failing_sources_and_waiting_rows(self, staff: Client) -> None:
        source = SourceFactory(last_success_at=timezone.now())
        SourceFactory(failures_in_a_row=1)
        SourceFactory(last_success_at=timezone.now() - timedelta(days=1))
        RejectedRowFactory.create_batch(2, delivery__source=source)
        ConflictFactory(delivery__source=source)
        health = {line.name: (line.text, line.tone) for line in staff.get(reverse("admin:index")).context["health"]}
        assert health["Sources failing"] == ("1", "bad")
        assert health["Sources late"][1] == "warning"
        assert health["Rejected rows"] == ("2 waiting", "warning")
        assert health["Conflicts"] == ("1 waiting", "warning")

    def test_a_healthy_system_is_green_except_for_stopped_processes(self) -> None:
        ensure_partitions_ahead()
        health = status_texts()
        assert {name for name, (_, tone) in health.items() if tone == "bad"} == {"Beat", "Workers"}
        assert health["Sources late"] == ("0", "good")

    def test_it_shows_how_far_ahead_partitions_exist(self) -> None:
        now = timezone.now()
        ensure_partitions(months_between(now, now + timedelta(days=365 * 20)))
        assert status_texts()["Partitions"] == (f"created up to {now + timedelta(days=365 * 20):%Y-%m}", "good")

    def test_it_is_shown_while_the_broker_is_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(queues: list[str]) -> None:
            raise BrokerOut("Connection refused")

        monkeypatch.setattr("temperature_site.admin.site.queue_states", refuse)
        monkeypatch.setattr("temperature_site.health.checks.queue_states", refuse)
        health = status_texts()
        assert health["Broker"] == ("error: Connection refused", "bad")
        assert not [name for name in health if name.startswith("Queue")]

    def test_long_queues_are_flagged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("temperature_site.health.broker.LONG_QUEUE", -1)
        assert {tone for name, (_, tone) in status_texts().items() if name.startswith("Queue")} == {"warning"}

    def test_people_who_may_not_view_sources_do_not_see_it(self, client: Client) -> None:
        person = UserFactory(is_staff=True)
        person.user_permissions.add(Permission.objects.get(codename="view_customer"))
        client.force_login(person)
        response = client.get(reverse("admin:index"))
        assert response.context["health"] == []
        assert "System status" not in response.content.decode()

    def test_models_are_grouped_by_app(self, staff: Client) -> None:
        groups = [app["name"] for app in staff.get(reverse("admin:index")).context["app_list"]]
        assert {"Customers", "Readings", "Ingestion"} <= set(groups)


def copy_unit(unit: StorageUnit, facility_ids: list[int], count: int) -> None:
    """Copy the unit to these facilities in turn, in one statement and without an entry in the trail for each copy."""
    own = {"id", "public_id", "unit_code", "facility_id"}
    columns = ", ".join(name for field in StorageUnit._meta.fields if (name := str(field.column)) not in own)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            f"""INSERT INTO storage_unit (public_id, unit_code, facility_id, {columns})
            SELECT gen_random_uuid(), 'copy ' || number, (%s::int[])[1 + number %% %s], {columns}
            FROM storage_unit CROSS JOIN generate_series(1, %s) AS number WHERE id = %s""",  # noqa: S608  columns
            [facility_ids, len(facility_ids), count, unit.pk],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_every_list_answers_within_few_queries_at_ten_thousand_units(
    staff: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    customers = CustomerFactory.create_batch(50)
    facilities = Facility.objects.bulk_create(
        Facility(customer=customers[number % 50], facility_code=f"facility {number}") for number in range(100)
    )
    copy_unit(StorageUnitFactory(facility=facilities[0]), [facility.pk for facility in facilities], UNITS - 1)
    RejectedRowFactory.create_batch(30)
    assert StorageUnit.objects.count() == UNITS
    for model in admin.site._registry:
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        with django_assert_max_num_queries(MOST_QUERIES):
            assert staff.get(url).status_code == 200


def test_a_crontab_with_impossible_times_is_shown_with_what_is_wrong(staff: Client) -> None:
    times = {"minute": "-1", "hour": "*", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*"}
    page = staff.post(reverse("admin:django_celery_beat_crontabschedule_add"), {**times, "timezone": "UTC"})

    assert page.status_code == 200
    assert "minute" in page.context["adminform"].errors
