"""The overview says what keeps alarms from reaching anybody, to those who can change it."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from alarms.models import Channel, UnitLimits
from alarms.models.channels import GONE_REASON
from alarms.setup_notices import MIN_FAILURES
from customers.models import Customer
from tests.alarm_factories import RuleFactory, WebhookChannelFactory
from tests.factories import CustomerFactory, MembershipFactory, SourceFactory, StaffFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

NO_RULE = "there is no notification rule"


def test_a_manager_learns_that_nobody_is_notified(client: Client) -> None:
    membership = MembershipFactory(role="manager")
    client.force_login(membership.user)
    text = client.get("/").content.decode()
    assert f"Nobody is notified of the alarms of {membership.customer.name}" in text
    channel = WebhookChannelFactory(customer=membership.customer)
    RuleFactory(customer=membership.customer, channels=[channel])
    assert NO_RULE not in client.get("/").content.decode()


@pytest.mark.parametrize("field", ["rule", "channel"])
def test_a_disabled_rule_or_channel_notifies_nobody(client: Client, field: str) -> None:
    membership = MembershipFactory(role="manager")
    channel = WebhookChannelFactory(customer=membership.customer, is_enabled=field != "channel")
    RuleFactory(customer=membership.customer, channels=[channel], is_enabled=field != "rule")
    client.force_login(membership.user)
    assert NO_RULE in client.get("/").content.decode()


@pytest.mark.parametrize(
    "state",
    [{"failures_in_a_row": MIN_FAILURES}, {"is_enabled": False, "disabled_reason": GONE_REASON}],
    ids=["failing", "gone"],
)
@pytest.mark.parametrize("relation", ["channels", "escalation_channels"])
def test_a_manager_learns_that_messages_do_not_reach_a_channel(
    client: Client, state: dict[str, object], relation: str
) -> None:
    membership = MembershipFactory(role="manager")
    pager, other = (WebhookChannelFactory(customer=membership.customer, name=name) for name in ("Pager", "Other"))
    RuleFactory(customer=membership.customer, **({"channels": [other]} | {relation: [pager]}))
    client.force_login(membership.user)
    notice = f"Messages do not reach Pager of {membership.customer.name}."
    assert notice not in client.get("/").content.decode()
    Channel.objects.filter(pk=pager.pk).update(**state)
    text = client.get("/").content.decode()
    assert notice in text
    assert reverse("settings-notifications", args=[membership.customer.public_id]) in text


@pytest.mark.parametrize("state", [{"failures_in_a_row": MIN_FAILURES - 1}, {"is_enabled": False}])
def test_a_retry_and_a_channel_that_a_person_disabled_need_no_notice(client: Client, state: dict[str, object]) -> None:
    membership = MembershipFactory(role="manager")
    channels = [
        WebhookChannelFactory(customer=membership.customer, **state),
        WebhookChannelFactory(customer=membership.customer),
    ]
    RuleFactory(customer=membership.customer, channels=channels)
    WebhookChannelFactory(customer=membership.customer, failures_in_a_row=MIN_FAILURES)
    client.force_login(membership.user)
    assert "Messages do not reach" not in client.get("/").content.decode()


@pytest.fixture
def manager(client: Client) -> Customer:
    """Sign in a manager; return the customer."""
    membership = MembershipFactory(role="manager")
    client.force_login(membership.user)
    customer: Customer = membership.customer
    return customer


def test_a_manager_learns_of_units_that_no_rule_covers(client: Client, manager: Customer) -> None:
    named, of_facility, *others = (StorageUnitFactory(facility__customer=manager) for _ in range(4))
    RuleFactory(customer=manager, units=[named], facilities=[of_facility.facility])
    notice = (
        "Nobody is notified of critical temperature alarms of 2 storage units: "
        f"no notification rule of {manager.name} covers them."
    )
    text = client.get("/").content.decode()
    assert notice in text
    assert reverse("settings-notifications", args=[manager.public_id]) in text

    RuleFactory(customer=manager, units=others)
    assert "Nobody is notified" not in client.get("/").content.decode()


@pytest.mark.parametrize(
    "gap",
    [{"kinds": ["no_data"]}, {"severities": ["warning"]}, {"is_enabled": False}, {"channels": []}],
    ids=["kind", "severity", "disabled", "no channel"],
)
def test_rules_that_leave_out_critical_temperatures_cover_no_unit(
    client: Client, manager: Customer, gap: dict[str, object]
) -> None:
    _, other = (StorageUnitFactory(facility__customer=manager) for _ in range(2))
    RuleFactory(customer=manager, units=[other])
    RuleFactory(customer=manager, **gap)
    notice = "critical temperature alarms of 1 storage unit: "
    assert notice in client.get("/").content.decode()

    RuleFactory(customer=manager, kinds=["temperature"], severities=["critical"])
    assert notice not in client.get("/").content.decode()


@pytest.mark.parametrize("covering", [{"kinds": ["source_down"]}, {"kinds": ["no_data"], "severities": ["warning"]}])
def test_a_manager_learns_that_no_rule_covers_sources(
    client: Client, manager: Customer, covering: dict[str, object]
) -> None:
    RuleFactory(customer=manager, kinds=["temperature"])
    assert "sources that are down" not in client.get("/").content.decode()
    SourceFactory(customer=manager)
    assert "Nobody is notified of sources that are down: " in client.get("/").content.decode()

    RuleFactory(customer=manager, **covering)
    assert "sources that are down" not in client.get("/").content.decode()


def test_the_virtual_unit_of_drills_needs_no_rule(client: Client, manager: Customer) -> None:
    unit = StorageUnitFactory(facility__customer=manager)
    StorageUnitFactory(facility__customer=manager, is_synthetic=True)
    RuleFactory(customer=manager, units=[unit])
    assert "Nobody is notified" not in client.get("/").content.decode()


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_people_who_cannot_add_a_rule_see_no_notice(client: Client, role: str) -> None:
    client.force_login(MembershipFactory(role=role).user)
    assert NO_RULE not in client.get("/").content.decode()


def test_a_manager_learns_that_units_without_limits_alert_nobody(client: Client) -> None:
    membership = MembershipFactory(role="manager", customer__has_limits=False)
    customer = membership.customer
    unit = StorageUnitFactory(facility__customer=customer)
    client.force_login(membership.user)
    notice = f"1 storage unit of {customer.name} alerts nobody"
    assert notice in client.get("/").content.decode()
    UnitLimits.objects.create(storage_unit=unit, high_warning_c=8.0)
    assert notice not in client.get("/").content.decode()


@override_settings(SITE_URL="", EMAIL_URL="")
def test_the_operator_of_the_system_learns_of_missing_settings(client: Client) -> None:
    CustomerFactory.create_batch(5)
    client.force_login(StaffFactory())
    text = client.get("/").content.decode()
    assert "SITE_URL is not set" in text
    assert "EMAIL_URL is not set" in text
    assert "and 2 more customers" in text


@override_settings(SITE_URL="https://cold.example", EMAIL_URL="smtp://mail.example")
def test_nothing_is_said_when_nothing_is_missing(client: Client) -> None:
    client.force_login(StaffFactory())
    assert 'class="alert' not in client.get("/").content.decode()
