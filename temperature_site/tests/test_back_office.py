"""The back office: its start page, and that its lists stay fast when there is a lot to list."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from customers.models import Facility, StorageUnit
from readings.storage.partitions import ensure_partitions, ensure_partitions_ahead, months_between
from temperature_site.back_office import signs
from temperature_site.health.broker import BrokerOut
from temperature_site.health.views import examiner
from tests.admin_pages import MOST_QUERIES
from tests.factories import (
    ConflictFactory,
    CustomerFactory,
    RejectedRowFactory,
    SourceFactory,
    StaffFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

UNITS = 10_000


@pytest.fixture(autouse=True)
def _looked_at_anew():
    """Have the health found out in each test, not remembered from the one before."""
    examiner.forget()
    yield
    examiner.forget()


@pytest.fixture
def staff(client):
    client.force_login(StaffFactory())
    return client


def told():
    return {sign.name: (sign.text, sign.tone) for sign in signs(timezone.now())}


class TestStartPage:
    def test_it_tells_of_late_and_failing_feeds_and_of_what_waits(self, staff):
        source = SourceFactory(last_success_at=timezone.now())
        SourceFactory(failures_in_a_row=1)
        SourceFactory(last_success_at=timezone.now() - timedelta(days=1))
        RejectedRowFactory.create_batch(2, delivery__source=source)
        ConflictFactory(delivery__source=source)
        health = {sign.name: (sign.text, sign.tone) for sign in staff.get(reverse("admin:index")).context["health"]}
        assert health["Feeds failing"] == ("1", "bad")
        assert health["Feeds late"][1] == "warning"
        assert health["Rejected rows"] == ("2 waiting", "warning")
        assert health["Conflicts"] == ("1 waiting", "warning")

    def test_a_system_without_trouble_is_all_green_but_for_what_does_not_run(self):
        ensure_partitions_ahead()
        health = told()
        assert {name for name, (_, tone) in health.items() if tone == "bad"} == {"Beat", "Workers"}
        assert health["Feeds late"] == ("0", "good")

    def test_it_tells_how_far_ahead_partitions_are_made(self):
        now = timezone.now()
        ensure_partitions(months_between(now, now + timedelta(days=365 * 20)))
        assert told()["Partitions"] == (f"made up to {now + timedelta(days=365 * 20):%Y-%m}", "good")

    def test_it_is_shown_while_the_broker_is_out(self, monkeypatch):
        def refuse(queues):
            raise BrokerOut("Connection refused")

        monkeypatch.setattr("temperature_site.back_office.queue_states", refuse)
        monkeypatch.setattr("temperature_site.health.checks.queue_states", refuse)
        health = told()
        assert health["Broker"] == ("error: Connection refused", "bad")
        assert not [name for name in health if name.startswith("Queue")]

    def test_long_queues_are_pointed_out(self, monkeypatch):
        monkeypatch.setattr("temperature_site.back_office.LONG_QUEUE", -1)
        assert {tone for name, (_, tone) in told().items() if name.startswith("Queue")} == {"warning"}

    def test_who_may_not_look_at_sources_does_not_see_it(self, client):
        person = UserFactory(is_staff=True)
        person.user_permissions.add(Permission.objects.get(codename="view_customer"))
        client.force_login(person)
        response = client.get(reverse("admin:index"))
        assert response.context["health"] == []
        assert "How the system does" not in response.content.decode()

    def test_models_are_grouped_by_app(self, staff):
        groups = [app["name"] for app in staff.get(reverse("admin:index")).context["app_list"]]
        assert {"Customers", "Readings", "How readings arrive"} <= set(groups)


def test_every_list_answers_within_few_queries_at_ten_thousand_units(staff, django_assert_max_num_queries):
    customers = CustomerFactory.create_batch(50)
    facilities = Facility.objects.bulk_create(
        Facility(customer=customers[number % 50], facility_code=f"facility {number}") for number in range(100)
    )
    StorageUnit.objects.bulk_create(
        StorageUnit(facility=facilities[number % 100], unit_code=f"unit {number}", set_temperature=5.0)
        for number in range(UNITS)
    )
    RejectedRowFactory.create_batch(30)
    assert StorageUnit.objects.count() == UNITS
    for model in admin.site._registry:
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        with django_assert_max_num_queries(MOST_QUERIES):
            assert staff.get(url).status_code == 200
