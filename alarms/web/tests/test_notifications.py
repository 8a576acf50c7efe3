"""The settings pages of notifications for every role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alarms.models import Channel, Drill, DrillSchedule, Message, Rule
from alarms.notifications.channels.webhook import signing_key
from customers.models import Customer, Membership
from tests.alarm_factories import ChannelFactory, MessageFactory, RuleFactory, WebhookChannelFactory
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    MembershipFactory,
    StaffFactory,
    StorageUnitFactory,
    make_token,
)
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db
Role = Membership.Role


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(name="Cold Stores Ltd")


@pytest.fixture
def sign_in(client: Client, customer: Customer) -> Callable[..., Client]:
    def sign_in_as(role: str) -> Client:
        client.force_login(MembershipFactory(customer=customer, role=role).user)
        return client

    return sign_in_as


@pytest.fixture
def manager(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.MANAGER)


def url_of(name: str, customer: Customer, *more: UUID) -> str:
    return reverse(name, args=[customer.public_id, *more])


def flash_messages(response: PageResponse) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def channel_form(**fields: object) -> dict[str, object]:
    return {
        "kind": "email",
        "name": "shift",
        "address": "shift@example.com",
        "messages_a_minute": 10,
        "flap_minutes": "30 min",
    } | fields


def rule_form(channel: Channel, **fields: object) -> dict[str, object]:
    return {"name": "everything", "is_enabled": "on", "channels": [channel.pk]} | fields


class TestWhoMayDoWhat:
    def test_members_can_view_and_only_managers_get_controls(
        self, sign_in: Callable[..., Client], customer: Customer
    ) -> None:
        channel = ChannelFactory(customer=customer, name="the shift")
        RuleFactory(customer=customer, channels=[channel], name="at night")
        MessageFactory(channel=channel, state="dead", subject="Critical: something")
        for role, may in [(Role.VIEWER, False), (Role.OPERATOR, False), (Role.MANAGER, True)]:
            page = sign_in(role).get(url_of("settings-notifications", customer)).content.decode()
            assert "the shift" in page
            assert "at night" in page
            assert "Critical: something" in page
            assert ("New channel" in page, "Send again" in page, "Start drill" in page) == (may, may, may)

    def test_other_customers_get_not_found(self, client: Client, customer: Customer) -> None:
        client.force_login(MembershipFactory(role=Role.MANAGER).user)
        assert client.get(url_of("settings-notifications", customer)).status_code == 404

    def test_anonymous_visitors_are_asked_to_sign_in(self, client: Client, customer: Customer) -> None:
        assert client.get(url_of("settings-notifications", customer)).status_code == 302

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
    def test_viewers_and_operators_cannot_change_anything(
        self, sign_in: Callable[..., Client], customer: Customer, role: Membership.Role
    ) -> None:
        channel = WebhookChannelFactory(customer=customer)
        rule = RuleFactory(customer=customer, channels=[channel])
        message = MessageFactory(channel=channel, state="dead")
        before = channel.secret.token
        client = sign_in(role)
        answers = [
            client.post(url_of("settings-new-channel", customer), channel_form()),
            client.post(url_of("settings-channel", customer, channel.public_id), channel_form()),
            *(
                client.post(url_of("settings-change-channel", customer, channel.public_id), {"action": action})
                for action in ("test", "disable", "enable", "secret")
            ),
            client.post(url_of("settings-new-rule", customer), rule_form(channel)),
            client.post(url_of("settings-rule", customer, rule.public_id), rule_form(channel)),
            client.post(url_of("settings-delete-rule", customer, rule.public_id)),
            client.post(url_of("settings-resend-message", customer, message.public_id)),
            client.post(url_of("settings-drill", customer)),
            client.post(url_of("settings-drill-schedule", customer), {"every_days": 7}),
        ]
        assert {answer.status_code for answer in answers} == {403}
        channel.refresh_from_db()
        message.refresh_from_db()
        assert (channel.is_enabled, channel.secret.token, message.state) == (True, before, "dead")
        assert (Channel.objects.count(), Rule.objects.count(), Message.objects.count()) == (1, 1, 1)
        assert not Drill.objects.exists()
        assert not DrillSchedule.objects.exists()

    def test_channels_and_rules_of_other_customers_are_not_found(self, manager: Client, customer: Customer) -> None:
        foreign = ChannelFactory()
        rule = RuleFactory(customer=foreign.customer, channels=[foreign])
        message = MessageFactory(channel=foreign, state="dead")
        urls = [
            url_of("settings-channel", customer, foreign.public_id),
            url_of("settings-change-channel", customer, foreign.public_id),
            url_of("settings-rule", customer, rule.public_id),
            url_of("settings-delete-rule", customer, rule.public_id),
            url_of("settings-resend-message", customer, message.public_id),
        ]
        assert {manager.post(url, {"action": "disable"}).status_code for url in urls} == {404}

    def test_only_tokens_with_write_permission_have_access(self, client: Client, customer: Customer) -> None:
        for permissions, status in [(["read", "write"], 403), (["read", "manage"], 200)]:
            _, text = make_token(customer, permissions=permissions)
            client.post(reverse("login"), {"username": customer.customer_code, "password": text})
            assert client.get(url_of("settings-notifications", customer)).status_code == status
            client.logout()

    def test_staff_can_edit_for_every_customer(self, client: Client, customer: Customer) -> None:
        client.force_login(StaffFactory())
        client.post(url_of("settings-new-channel", customer), channel_form())
        assert Channel.objects.get().customer == customer


class TestChannels:
    def test_a_channel_is_added_and_edited(self, manager: Client, customer: Customer) -> None:
        manager.post(url_of("settings-new-channel", customer), channel_form())
        channel = Channel.objects.get()
        assert (channel.customer, channel.name, channel.address) == (customer, "shift", "shift@example.com")
        changed = channel_form(address="night@example.com", messages_a_minute=5)
        manager.post(url_of("settings-channel", customer, channel.public_id), changed)
        channel.refresh_from_db()
        assert (channel.address, channel.messages_a_minute) == ("night@example.com", 5)

    def test_a_new_webhook_gets_a_secret_that_is_shown_once(self, manager: Client, customer: Customer) -> None:
        hook = channel_form(kind="webhook", address="https://example.com/hook")
        page = manager.post(url_of("settings-new-channel", customer), hook).content.decode()
        secret = Channel.objects.get().secret.reveal()
        assert signing_key(secret)
        assert secret in page
        assert secret not in manager.get(url_of("settings-notifications", customer)).content.decode()
        form = manager.get(url_of("settings-channel", customer, Channel.objects.get().public_id)).content.decode()
        assert secret not in form

    def test_an_empty_secret_keeps_the_stored_one(self, manager: Client, customer: Customer) -> None:
        channel = WebhookChannelFactory(customer=customer)
        secret = channel.secret.reveal()
        form = channel_form(name="renamed", address=channel.address)
        manager.post(url_of("settings-channel", customer, channel.public_id), form)
        channel.refresh_from_db()
        assert (channel.name, channel.secret.reveal()) == ("renamed", secret)

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"address": "nobody"}, "is not an e-mail address"),
            ({"kind": "webhook", "address": "ftp://example.com"}, "must begin with http"),
            (
                {"kind": "apprise", "address": "", "secret": "json://127.0.0.1"},
                "Self-hosted services are not supported",
            ),
            ({"kind": "apprise", "address": "", "secret": ""}, "Unknown service"),
            ({"messages_a_minute": 0}, "greater than or equal to 1"),
            ({"secret": "slack://a/b/c"}, "An e-mail channel has no secret"),
            ({"kind": "apprise", "address": "slack://a/b/c", "secret": ""}, "belongs into the secret"),
        ],
    )
    def test_invalid_channels_are_rejected(
        self, manager: Client, customer: Customer, fields: dict[str, object], error: str
    ) -> None:
        page = manager.post(url_of("settings-new-channel", customer), channel_form(**fields)).content.decode()
        assert error in page
        assert not Channel.objects.exists()

    def test_names_are_unique_per_customer(self, manager: Client, customer: Customer) -> None:
        ChannelFactory(customer=customer, name="shift")
        page = manager.post(url_of("settings-new-channel", customer), channel_form()).content.decode()
        assert "already has a channel with this name" in page
        assert Channel.objects.count() == 1

    def test_a_test_queues_a_message(self, manager: Client, customer: Customer) -> None:
        channel = ChannelFactory(customer=customer)
        url = url_of("settings-change-channel", customer, channel.public_id)
        response = manager.post(url, {"action": "test"}, follow=True)
        message = Message.objects.get()
        assert (message.channel, message.reason, message.state) == (channel, "test", "waiting")
        assert message.data["type"] == "test"
        assert 'hx-trigger="every 3s"' in response.content.decode()

    def test_a_channel_is_disabled_and_enabled_again(self, manager: Client, customer: Customer) -> None:
        channel = ChannelFactory(customer=customer, failures_in_a_row=3, last_error="no answer")
        waiting = MessageFactory(channel=channel, attempt_count=3, next_attempt_at=timezone.now() + timedelta(hours=1))
        url = url_of("settings-change-channel", customer, channel.public_id)
        manager.post(url, {"action": "disable"})
        channel.refresh_from_db()
        assert not channel.is_enabled
        assert channel.disabled_reason.startswith("Disabled by ")
        manager.post(url, {"action": "enable"})
        channel.refresh_from_db()
        waiting.refresh_from_db()
        assert (channel.is_enabled, channel.disabled_reason, channel.failures_in_a_row) == (True, "", 0)
        assert waiting.next_attempt_at <= timezone.now()

    def test_a_new_secret_leaves_the_old_one_valid_for_a_week(self, manager: Client, customer: Customer) -> None:
        channel = WebhookChannelFactory(customer=customer)
        old = channel.secret.reveal()
        url = url_of("settings-change-channel", customer, channel.public_id)
        page = manager.post(url, {"action": "secret"}).content.decode()
        channel.refresh_from_db()
        new, also = channel.secrets_at(timezone.now())
        assert also == old != new
        assert new in page
        assert channel.secrets_at(timezone.now() + timedelta(days=8)) == [new]

    def test_only_webhooks_rotate_secrets_and_unknown_actions_are_rejected(
        self, manager: Client, customer: Customer
    ) -> None:
        url = url_of("settings-change-channel", customer, ChannelFactory(customer=customer).public_id)
        assert manager.post(url, {"action": "secret"}).status_code == 400
        assert manager.post(url, {"action": "delete"}).status_code == 400

    def test_secret_parts_of_a_url_are_not_shown(self, manager: Client, customer: Customer) -> None:
        WebhookChannelFactory(customer=customer, address="https://example.com/hook?token=sesame")
        page = manager.get(url_of("settings-notifications", customer)).content.decode()
        assert "https://example.com/***" in page
        assert "hook" not in page.replace("Webhook", "").replace("webhook", "")
        assert "sesame" not in page


class TestRules:
    def test_a_rule_is_added_edited_and_deleted(self, manager: Client, customer: Customer) -> None:
        channel = ChannelFactory(customer=customer)
        facility = FacilityFactory(customer=customer)
        form = rule_form(channel, kinds=["temperature"], weekdays=["0", "6"], facilities=[facility.pk])
        form |= {"from_time": "22:00", "until_time": "06:00", "tells_when_closed": "on"}
        manager.post(url_of("settings-new-rule", customer), form)
        rule = Rule.objects.get()
        assert (rule.customer, rule.kinds, rule.weekdays) == (customer, ["temperature"], [0, 6])
        assert list(rule.facilities.all()) == [facility]
        assert list(rule.channels.all()) == [channel]
        manager.post(url_of("settings-rule", customer, rule.public_id), rule_form(channel, repeat_minutes="10 min"))
        rule.refresh_from_db()
        assert (rule.repeat_minutes, rule.kinds, rule.tells_when_closed) == (10, [], False)
        manager.post(url_of("settings-delete-rule", customer, rule.public_id))
        assert not Rule.objects.exists()

    def test_the_list_says_which_alarms_and_days_a_rule_covers(self, manager: Client, customer: Customer) -> None:
        plant = FacilityFactory(customer=customer, name="North plant")
        covered = {"severities": ["critical"], "kinds": ["temperature", "no_data"], "weekdays": [5, 6]}
        rule = RuleFactory(customer=customer, name="narrow", **covered)
        rule.facilities.add(plant)
        RuleFactory(customer=customer, name="wide")
        page = manager.get(url_of("settings-notifications", customer)).content.decode()
        assert "Critical; temperature, no data; North plant" in page
        assert "Sat, Sun" in page
        assert "All alarms" in page

    def test_a_rule_can_only_select_the_customers_own_objects(self, manager: Client, customer: Customer) -> None:
        channel = ChannelFactory(customer=customer)
        foreign_rows = {"channels": ChannelFactory(), "units": StorageUnitFactory(), "facilities": FacilityFactory()}
        for name, row in foreign_rows.items():
            foreign = {name: [row.pk]}
            page = manager.post(url_of("settings-new-rule", customer), rule_form(channel) | foreign).content.decode()
            assert "Select a valid choice" in page
        assert not Rule.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"channels": []}, "Select at least one channel"),
            ({"escalate_minutes": "10 min"}, "needs both a time and channels"),
            ({"from_time": "08:00"}, "Enter both times"),
            ({"repeat_minutes": "0 min"}, "Enter at least 1 min."),
            ({"repeat_minutes": "90 s"}, "Enter whole minutes."),
            ({"repeat_minutes": 10}, "Enter a duration with its unit"),
            (
                {"channels": [], "repeat_minutes": "30 min"},
                "Only the channels that are notified immediately get reminders",
            ),
        ],
    )
    def test_invalid_rules_are_rejected(
        self, manager: Client, customer: Customer, fields: dict[str, object], error: str
    ) -> None:
        channel = ChannelFactory(customer=customer)
        page = manager.post(url_of("settings-new-rule", customer), rule_form(channel, **fields)).content.decode()
        assert error in page
        assert not Rule.objects.exists()


class TestMessagesAndDrills:
    def test_undelivered_messages_are_sent_again(self, manager: Client, customer: Customer) -> None:
        message = MessageFactory(channel=ChannelFactory(customer=customer), state="dead")
        url = url_of("settings-resend-message", customer, message.public_id)
        assert flash_messages(manager.post(url, follow=True)) == ["Message queued for delivery."]
        message.refresh_from_db()
        assert message.state == "waiting"
        assert flash_messages(manager.post(url, follow=True)) == ["Only undelivered messages can be sent again."]

    def test_a_drill_is_started_once(self, manager: Client, customer: Customer) -> None:
        manager.post(url_of("settings-drill", customer))
        again = manager.post(url_of("settings-drill", customer), follow=True)
        assert Drill.objects.get().customer == customer
        assert "already running" in flash_messages(again)[-1]

    def test_a_drill_schedule_is_set_and_removed(self, manager: Client, customer: Customer) -> None:
        url = url_of("settings-drill-schedule", customer)
        manager.post(url, {"every_days": "30"})
        assert DrillSchedule.objects.get().every_days == 30
        assert manager.post(url, {"every_days": "0"}).status_code == 400
        manager.post(url, {"every_days": ""})
        assert not DrillSchedule.objects.exists()

    def test_a_drill_schedule_that_somebody_else_set_meanwhile_is_not_replaced(
        self, manager: Client, customer: Customer
    ) -> None:
        url = url_of("settings-drill-schedule", customer)
        manager.post(url, {"every_days": "30", "opened": ""})

        refused = manager.post(url, {"every_days": "7", "opened": ""}, follow=True)

        assert "Changed meanwhile by somebody else, now stored: every 30 days." in flash_messages(refused)[-1]
        assert '<input type="hidden" name="opened" value="30">' in refused.content.decode()
        assert DrillSchedule.objects.get().every_days == 30
        manager.post(url, {"every_days": "7", "opened": "30"})
        assert DrillSchedule.objects.get().every_days == 7

    def test_queries_do_not_grow_with_the_lists(
        self, manager: Client, customer: Customer, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        channels = ChannelFactory.create_batch(4, customer=customer)
        for channel in channels:
            RuleFactory(customer=customer, channels=channels)
            MessageFactory.create_batch(3, channel=channel)
        with django_assert_max_num_queries(18):
            manager.get(url_of("settings-notifications", customer))


def test_a_channel_of_which_some_addresses_are_refused_is_partly_working(client: Client, customer: Customer) -> None:
    refusal = "Not accepted: left@example.com (550 no such user)."
    ChannelFactory(customer=customer, last_error=refusal, last_success_at=timezone.now())
    client.force_login(StaffFactory())
    text = client.get(reverse("settings-notifications", args=[customer.public_id])).content.decode()
    assert "Partly working" in text
    assert refusal in text
