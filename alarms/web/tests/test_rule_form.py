"""The forms of rules and channels: what they let a manager choose, and how rules are listed."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from alarms.models import Channel, Rule
from alarms.web import notification_forms
from customers.models import Customer
from tests.alarm_factories import ChannelFactory, RuleFactory
from tests.factories import FacilityFactory, MembershipFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel() -> Channel:
    return ChannelFactory()


@pytest.fixture
def customer(channel: Channel) -> Customer:
    return channel.customer


@pytest.fixture
def manager(client: Client, customer: Customer) -> Client:
    client.force_login(MembershipFactory(customer=customer, role="manager").user)
    return client


def test_facilities_and_units_are_checkboxes(manager: Client, customer: Customer, channel: Channel) -> None:
    """In a list that selects by clicks, one without Ctrl deselects all others, unnoticed further down."""
    plant = FacilityFactory(customer=customer, name="Plant 1")
    unit = StorageUnitFactory(facility=plant, name="Freezer 1")
    url = reverse("settings-new-rule", args=[customer.public_id])

    page = manager.get(url).content.decode()
    for name, row in (("facilities", plant), ("units", unit)):
        assert re.search(rf'<input type="checkbox" name="{name}" value="{row.pk}"', page)
    assert "<label>Plant 1</label>" in page

    manager.post(url, {"name": "night", "channels": [channel.pk], "facilities": [plant.pk], "units": [unit.pk]})
    rule = Rule.objects.get()
    assert (list(rule.facilities.all()), list(rule.units.all())) == ([plant], [unit])


def test_a_rule_keeps_its_units_when_there_are_too_many_to_list(
    monkeypatch: pytest.MonkeyPatch, customer: Customer, channel: Channel
) -> None:
    monkeypatch.setattr(notification_forms, "MAX_UNITS_LISTED", 1)
    unit, _ = StorageUnitFactory.create_batch(2, facility=FacilityFactory(customer=customer))
    rule = RuleFactory(customer=customer, channels=[channel], units=[unit])
    form = notification_forms.RuleForm(
        {"name": "at night", "is_enabled": "on", "channels": [channel.pk]}, instance=rule, customer=customer
    )
    assert form.is_valid(), form.errors
    form.save()
    assert (rule.name, list(rule.units.all())) == ("at night", [unit])


def test_durations_of_rules_are_shown_in_their_largest_units(
    manager: Client, customer: Customer, channel: Channel
) -> None:
    rule = RuleFactory(customer=customer, repeat_minutes=1_440, escalate_minutes=90)
    rule.escalation_channels.add(channel)

    text = manager.get(reverse("settings-notifications", args=[customer.public_id])).content.decode()

    assert "Repeats every 1 day<" in text
    assert "Escalates after 1 h 30 min to" in text


def test_the_kind_of_a_new_channel_has_to_be_chosen(manager: Client, customer: Customer) -> None:
    url = reverse("settings-new-channel", args=[customer.public_id])
    assert '<option value="" selected>Choose a kind</option>' in manager.get(url).content.decode()

    response = manager.post(url, {"name": "night", "address": "a@example.com"})

    assert response.context["form"].errors["kind"] == ["This field is required."]
    assert not Channel.objects.filter(name="night").exists()
