"""The demo: ten made-up customers in an empty system, and never among real ones."""

from __future__ import annotations

import io
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.forms.models import model_to_dict
from pytest_django import Settings

from alarms.models import Channel, Rule
from customers.models import ApiToken, Customer, Membership
from ingestion.models import Source
from temperature_site.conf.services import mail_settings
from temperature_site.dev import demo
from temperature_site.management.commands.run import process_environment
from temperature_site.models import DemoSystem
from tests.alarm_factories import WebhookChannelFactory
from tests.factories import CustomerFactory, SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_the_demo(settings: Settings) -> None:
    """Turn the demo on, whatever database the tests use."""
    settings.DEMO = True


def everything() -> list[dict[str, object]]:
    """All rows that the demo makes."""
    return [
        model_to_dict(row)
        for model in (Customer, Source, get_user_model(), Membership)
        for row in model.objects.order_by("pk")
    ]


def test_every_customer_has_a_source_that_polls_its_own_simulator_port(settings: Settings) -> None:
    settings.SIMULATOR_PORT = 9001
    demo.load()
    requested = {
        source.customer.customer_code: (source.url, source.structure_url, source.interval_seconds)
        for source in Source.objects.select_related("customer")
    }
    assert len(requested) == 10
    assert requested["A"] == (
        "http://localhost:9001/temperature/current?hours={hours}",
        "http://localhost:9001/facilities",
        60,
    )
    assert requested["J"] == (
        "http://localhost:9010/data/download.csv?hours={hours}",
        "http://localhost:9010/facilities",
        300,
    )


def test_every_alarm_of_every_customer_is_notified_by_mail() -> None:
    demo.load()
    for customer in Customer.objects.all():
        rule = customer.notification_rules.get()
        assert (rule.is_enabled, rule.kinds, rule.severities, rule.weekdays) == (True, [], [], [])
        assert [channel.kind for channel in rule.channels.all()] == ["email"]


def test_a_demo_loaded_by_an_earlier_version_gets_its_notifications_once() -> None:
    demo.load()
    Rule.objects.all().delete()
    Channel.objects.all().delete()
    own = WebhookChannelFactory(customer=Customer.objects.get(customer_code="B"))
    DemoSystem.objects.update(has_notifications=False)
    CustomerFactory(customer_code="MINE")

    demo.load()

    assert set(Rule.objects.values_list("customer__customer_code", flat=True)) == set("ACDEFGHIJ")
    assert list(Channel.objects.filter(customer__customer_code="B")) == [own]

    Rule.objects.all().delete()
    Channel.objects.all().delete()
    demo.load()

    assert not Channel.objects.exists()


def test_its_mails_are_files_unless_a_mail_server_is_configured(settings: Settings) -> None:
    settings.DEMO, settings.EMAIL_URL = True, ""
    url = process_environment()["EMAIL_URL"]
    assert mail_settings(url)["EMAIL_FILE_PATH"] == str(settings.DATA_DIR / "mail")
    settings.DEMO = False
    assert "filemail" not in process_environment().get("EMAIL_URL", "")


def test_its_people_can_sign_in_and_see_their_own_part() -> None:
    output = io.StringIO()
    call_command("load_demo", stdout=output)

    assert "Sign in as operator / cold-store-demo" in output.getvalue()
    operator, anna, ben = (authenticate(username=name, password=demo.PASSWORD) for name in ("operator", "anna", "ben"))
    assert operator is not None
    assert operator.is_superuser
    assert anna is not None
    assert ben is not None
    assert (anna.is_staff, ben.is_staff) == (False, False)
    parts = Membership.objects.values_list("user__username", "customer__customer_code", "role")
    assert sorted(parts) == [("anna", "A", "manager"), ("ben", "E", "viewer")]


def test_loading_it_again_changes_nothing() -> None:
    demo.load()
    before = everything()
    demo.load()
    assert everything() == before


def test_changes_made_by_people_are_kept() -> None:
    demo.load()
    Customer.objects.filter(customer_code="A").update(name="Our name")
    Source.objects.filter(customer__customer_code="A").update(is_paused=True, interval_seconds=30)
    anna = get_user_model().objects.get(username="anna")
    anna.set_password("a password of her own")
    anna.save()

    demo.load()

    assert Customer.objects.get(customer_code="A").name == "Our name"
    source = Source.objects.get(customer__customer_code="A")
    assert (source.is_paused, source.interval_seconds) == (True, 30)
    assert authenticate(username="anna", password="a password of her own") == anna


def test_a_simulator_on_another_port_is_found(settings: Settings) -> None:
    settings.SIMULATOR_PORT = 9001
    demo.load()
    settings.SIMULATOR_PORT = 9101
    demo.load()
    assert Source.objects.get(customer__customer_code="B").url.startswith("http://localhost:9102/")
    assert Source.objects.count() == 10


def test_it_starts_again_among_customers_added_to_it() -> None:
    demo.load()
    CustomerFactory(customer_code="MINE", name="My own customer")

    call_command("load_demo", stdout=io.StringIO())

    assert Customer.objects.count() == 11


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://localhost:9102/data/download.csv?hours={hours}", 9101),
        ("https://b.example.com/data/download.csv?hours={hours}", None),
    ],
)
def test_a_demo_loaded_by_an_earlier_version_is_recognized_by_its_sources(url: str, port: int | None) -> None:
    migration = import_module("temperature_site.migrations.0003_demo_system")
    SourceFactory(customer__customer_code="MINE")
    SourceFactory(customer__customer_code="B", name="simulator", url=url)

    migration.record_loaded_demo(apps, connection.schema_editor())

    assert list(DemoSystem.objects.values_list("simulator_port", flat=True)) == ([port] if port else [])


def test_deleted_customers_and_people_stay_deleted() -> None:
    demo.load()
    Source.objects.filter(customer__customer_code="A").delete()
    ApiToken.objects.filter(customer__customer_code="A").delete()
    Customer.objects.filter(customer_code="A").delete()
    get_user_model().objects.filter(username="ben").delete()

    output = io.StringIO()
    call_command("load_demo", stdout=output)

    assert not Customer.objects.filter(customer_code="A").exists()
    assert not get_user_model().objects.filter(username="ben").exists()
    assert "Sign in as anna" in output.getvalue()
    assert "Sign in as ben" not in output.getvalue()


def test_a_demo_whose_customers_were_all_deleted_stays_empty() -> None:
    demo.load()
    for model in (Source, ApiToken, Customer):
        model.objects.all().delete()

    demo.load()

    assert Customer.objects.count() == 0


def test_renamed_customers_sources_and_people_are_not_added_again(settings: Settings) -> None:
    settings.SIMULATOR_PORT = 9001
    demo.load()
    Customer.objects.filter(customer_code="A").update(customer_code="PHARMA", name="Renamed")
    Source.objects.filter(customer__customer_code="B").update(name="the shop's system")
    get_user_model().objects.filter(username="operator").update(username="boss")

    settings.SIMULATOR_PORT = 9101
    output = io.StringIO()
    call_command("load_demo", stdout=output)

    assert (Customer.objects.count(), Source.objects.count(), get_user_model().objects.count()) == (10, 10, 3)
    moved = dict(Source.objects.values_list("customer__customer_code", "url"))
    assert moved["PHARMA"].startswith("http://localhost:9101/")
    assert moved["B"].startswith("http://localhost:9102/")
    assert "Sign in as operator" not in output.getvalue()


def test_a_source_pointed_elsewhere_is_left_alone(settings: Settings) -> None:
    demo.load()
    Source.objects.filter(customer__customer_code="C").update(url="https://customer.example.com/readings")

    settings.SIMULATOR_PORT += 100
    demo.load()

    assert Source.objects.get(customer__customer_code="C").url == "https://customer.example.com/readings"


def test_a_password_of_ones_own_is_not_advertised() -> None:
    demo.load()
    anna = get_user_model().objects.get(username="anna")
    anna.set_password("a password of her own")
    anna.save()

    output = io.StringIO()
    call_command("load_demo", stdout=output)

    assert "Sign in as operator" in output.getvalue()
    assert "Sign in as anna" not in output.getvalue()


def test_a_system_with_customers_of_its_own_is_refused_and_left_as_it_was() -> None:
    CustomerFactory(customer_code="REAL", name="A real customer")
    before = everything()

    with pytest.raises(CommandError, match=r"for an empty system, .* such as REAL · A real customer"):
        call_command("load_demo", stdout=io.StringIO())

    assert everything() == before


def test_outside_the_demo_nothing_is_loaded(settings: Settings) -> None:
    settings.DEMO = False
    before = everything()

    with pytest.raises(CommandError, match="Set DEMO=true"):
        call_command("load_demo", stdout=io.StringIO())

    assert everything() == before
