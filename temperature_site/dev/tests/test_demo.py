"""The demo: ten made-up customers in an empty system, and never among real ones."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command
from django.forms.models import model_to_dict
from pytest_django import Settings

from customers.models import Customer, Membership
from ingestion.models import Source
from temperature_site.dev import demo
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


def everything():
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


def test_its_people_can_sign_in_and_see_their_own_part() -> None:
    output = io.StringIO()
    call_command("load_demo", stdout=output)

    assert "Sign in as operator / cold-store-demo" in output.getvalue()
    assert authenticate(username="operator", password=demo.PASSWORD).is_superuser
    anna, ben = (authenticate(username=name, password=demo.PASSWORD) for name in ("anna", "ben"))
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


def test_a_system_with_customers_of_its_own_is_refused_and_left_as_it_was() -> None:
    CustomerFactory(customer_code="REAL", name="A real customer")
    before = everything()

    with pytest.raises(CommandError, match=r"for an empty system, .* such as REAL · A real customer"):
        call_command("load_demo", stdout=io.StringIO())

    assert everything() == before
