"""The page of a customer's people: inviting an address, and what the manager learns of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from customers.models import Customer, Invitation, Membership
from tests.factories import CustomerFactory, InvitationFactory, MembershipFactory, StaffFactory, UserFactory
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mail_server(settings: Settings) -> None:
    """Configure a mail server; the test runner collects what is sent to it."""
    settings.EMAIL_URL = "smtp://mail.example.com:25"


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A", name="Cold Ltd")


@pytest.fixture
def manager(client: Client, customer: Customer) -> Client:
    client.force_login(MembershipFactory(customer=customer, role="manager", user__username="manager").user)
    return client


def invite(client: Client, customer: Customer, email: str = "new@example.com", role: str = "operator") -> PageResponse:
    url = reverse("settings-people", args=[customer.public_id])
    return client.post(url, {"email": email, "role": role}, follow=True)


def change(client: Client, invitation: Invitation, action: str) -> PageResponse:
    url = reverse("settings-invitation", args=[invitation.customer.public_id, invitation.public_id])
    return client.post(url, {"action": action}, follow=True)


def shown(response: PageResponse) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def link_in(mail: EmailMessage) -> str:
    [path] = re.findall(r"http://\S+(/account/invitations/\S+)", str(mail.body))
    return str(path)


def test_the_link_goes_to_the_invited_address_and_is_not_shown(
    manager: Client, customer: Customer, mailoutbox: list[EmailMessage]
) -> None:
    response = invite(manager, customer, "New@Example.com")

    [mail] = mailoutbox
    assert mail.to == ["New@example.com"]
    assert mail.subject == "Invitation to the temperature monitoring of Cold Ltd"
    assert shown(response) == ["Invitation sent to New@example.com."]
    secret = link_in(mail).rpartition("/")[2]
    assert secret not in response.content.decode()
    assert Invitation.objects.get().secret_hash != secret
    assert Membership.objects.count() == 1
    assert not User.objects.filter(email__iexact="new@example.com").exists()


def no_account() -> None: ...


def account() -> None:
    UserFactory(email="x@example.com")


def deactivated_account() -> None:
    UserFactory(email="x@example.com", is_active=False)


def account_of_staff() -> None:
    StaffFactory(email="x@example.com")


def several_accounts() -> None:
    UserFactory.create_batch(2, email="x@example.com")


def account_with_that_user_name() -> None:
    UserFactory(username="x@example.com", email="other@example.com")


def member() -> None:
    MembershipFactory(customer=Customer.objects.get(customer_code="A"), user__email="x@example.com")


@pytest.mark.parametrize(
    "given",
    [
        no_account,
        account,
        deactivated_account,
        account_of_staff,
        several_accounts,
        account_with_that_user_name,
        member,
    ],
)
def test_the_response_is_the_same_whether_an_account_exists(
    manager: Client, customer: Customer, mailoutbox: list[EmailMessage], given: Callable[[], None]
) -> None:
    given()
    members = Membership.objects.count()

    response = invite(manager, customer, "x@example.com")

    assert shown(response) == ["Invitation sent to x@example.com."]
    assert [mail.to for mail in mailoutbox] == [["x@example.com"]]
    assert [each.email for each in response.context["invitations"]] == ["x@example.com"]
    assert Membership.objects.count() == members


def test_inviting_an_address_again_replaces_its_link(
    manager: Client, customer: Customer, mailoutbox: list[EmailMessage]
) -> None:
    invite(manager, customer, role="viewer")
    invite(manager, customer, "NEW@example.com", role="operator")

    first, second = map(link_in, mailoutbox)
    assert Client().get(first).status_code == 410
    assert Client().get(second).status_code == 302
    assert Invitation.objects.get().role == "operator"


def test_without_a_mail_server_only_the_operator_can_hand_over_a_link(
    manager: Client, customer: Customer, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.EMAIL_URL = settings.SITE_URL = ""

    response = invite(manager, customer)

    assert "ask the operator to hand over a link" in shown(response)[0]
    assert mailoutbox == []
    assert "/account/invitations/" not in response.content.decode()
    manager.force_login(StaffFactory())
    url = reverse("admin:customers_invitation_changelist")
    chosen = {"action": "show_new_link", "_selected_action": [Invitation.objects.get().pk]}
    page = manager.post(url, chosen, follow=True).content.decode()
    link = re.findall(r"<code>http://testserver(\S+)</code>", page)[0]
    assert Client().get(link)["Location"] == reverse("invitation")
    assert link not in manager.get(url).content.decode()


def test_an_invitation_is_sent_again_with_a_new_link(
    manager: Client, customer: Customer, mailoutbox: list[EmailMessage]
) -> None:
    expired = InvitationFactory(customer=customer, expires_at=timezone.now() - timedelta(days=1))

    assert shown(change(manager, expired, "send")) == [f"Invitation sent to {expired.email}."]

    assert Client().get(link_in(mailoutbox[0])).status_code == 302


def test_a_withdrawn_invitation_cannot_be_accepted_or_sent(
    manager: Client, customer: Customer, mailoutbox: list[EmailMessage]
) -> None:
    invite(manager, customer)
    invitation = Invitation.objects.get()

    change(manager, invitation, "withdraw")

    assert Client().get(link_in(mailoutbox[0])).status_code == 410
    assert shown(change(manager, invitation, "send")) == ["This invitation was already withdrawn."]
    assert len(mailoutbox) == 1


def test_invitations_of_another_customer_are_not_found(manager: Client, mailoutbox: list[EmailMessage]) -> None:
    foreign = InvitationFactory()
    for action in ("send", "withdraw"):
        assert change(manager, foreign, action).status_code == 404
    foreign.refresh_from_db()
    assert (foreign.outcome, mailoutbox) == ("", [])


def test_viewers_do_not_see_who_is_invited(client: Client, customer: Customer) -> None:
    InvitationFactory(customer=customer, email="secret@example.com")
    client.force_login(MembershipFactory(customer=customer).user)
    page = client.get(reverse("settings-people", args=[customer.public_id]))
    assert "secret@example.com" not in page.content.decode()


def test_the_admin_adds_invitations_and_no_memberships(client: Client, customer: Customer) -> None:
    client.force_login(StaffFactory())
    assert client.get(reverse("admin:customers_membership_add")).status_code == 403
    fields = {"customer": customer.pk, "email": "new@example.com", "role": "manager"}
    page = client.post(reverse("admin:customers_invitation_add"), fields, follow=True).content.decode()
    assert "/account/invitations/" in page
    assert not Membership.objects.exists()


def test_a_password_link_for_staff_is_created_by_superusers_only(client: Client, django_user_model: type[User]) -> None:
    person, colleague = UserFactory(), StaffFactory()
    url = reverse("admin:auth_user_changelist")
    chosen = {"action": "show_password_link", "_selected_action": [person.pk, colleague.pk]}
    client.force_login(StaffFactory())
    assert client.post(url, chosen, follow=True).content.decode().count("/account/password/set/") == 2


class TestMembers:
    def test_roles_are_changed_and_members_removed(self, manager: Client, customer: Customer) -> None:
        member = MembershipFactory(customer=customer)
        url = reverse("settings-member", args=[customer.public_id, member.pk])
        manager.post(url, {"action": "role", "role": "operator"})
        assert Membership.objects.get(pk=member.pk).role == "operator"
        manager.post(url, {"action": "remove"})
        assert not Membership.objects.filter(pk=member.pk).exists()
        assert User.objects.filter(pk=member.user_id).exists()

    def test_a_role_that_somebody_else_changed_meanwhile_is_not_replaced(
        self, manager: Client, customer: Customer
    ) -> None:
        member = MembershipFactory(customer=customer, role="viewer")
        opened = manager.get(reverse("settings-people", args=[customer.public_id])).content.decode()
        assert '<input type="hidden" name="opened" value="viewer">' in opened
        Membership.objects.filter(pk=member.pk).update(role="operator")
        url = reverse("settings-member", args=[customer.public_id, member.pk])
        change = {"action": "role", "role": "manager"}

        refused = manager.post(url, change | {"opened": "viewer"}, follow=True)

        assert shown(refused) == [
            "Changed meanwhile by somebody else, now stored: operator. Change it again if needed."
        ]
        assert Membership.objects.get(pk=member.pk).role == "operator"
        manager.post(url, change | {"opened": "operator"})
        assert Membership.objects.get(pk=member.pk).role == "manager"

    @pytest.mark.parametrize("fields", [{"action": "remove"}, {"action": "role", "role": "operator"}])
    def test_the_last_manager_remains(self, manager: Client, customer: Customer, fields: dict[str, str]) -> None:
        MembershipFactory(customer=customer, role="manager", user__is_active=False)
        own = Membership.objects.get(user=get_user(manager).pk)
        response = manager.post(reverse("settings-member", args=[customer.public_id, own.pk]), fields, follow=True)
        assert shown(response) == ["A customer needs a manager. Make someone else a manager first."]
        own.refresh_from_db()
        assert own.role == "manager"

    @pytest.mark.parametrize("fields", [{}, {"action": "role", "role": "king"}, {"action": "link"}])
    def test_an_unknown_action_or_role_changes_nothing(
        self, manager: Client, customer: Customer, fields: dict[str, str]
    ) -> None:
        member = MembershipFactory(customer=customer)
        url = reverse("settings-member", args=[customer.public_id, member.pk])
        assert manager.post(url, fields).status_code == 400
        member.refresh_from_db()
        assert member.role == "viewer"
