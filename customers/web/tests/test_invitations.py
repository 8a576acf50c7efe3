"""Links that are mailed: accepting an invitation, and setting a password."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from pytest_django import Settings

from customers import members
from customers.accounts import invitations
from customers.accounts.password_links import password_path, people_with_address
from customers.models import Customer, Invitation, Membership
from customers.tasks import send_password_links
from tests.factories import PASSWORD, CustomerFactory, MembershipFactory, StaffFactory, UserFactory, make_token
from tests.races import race
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "another correct horse"
EMAIL = "new@example.com"


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A", name="Cold Ltd")


@pytest.fixture
def secret(customer: Customer) -> str:
    return invitations.invite(customer, EMAIL, "operator", by=None, now=timezone.now())[1]


def open_link(client: Client, secret: str) -> PageResponse:
    return client.get(reverse("invitation-link", args=[secret]), follow=True)


def answer(client: Client, action: str, **fields: str) -> PageResponse:
    return client.post(reverse("invitation"), {"action": action, **fields}, follow=True)


def create_account(client: Client) -> PageResponse:
    return answer(client, "create", first_name="Ada", new_password1=NEW_PASSWORD, new_password2=NEW_PASSWORD)


def test_a_new_person_creates_an_account_by_accepting(client: Client, customer: Customer, secret: str) -> None:
    assert "Create account and accept" in open_link(client, secret).content.decode()

    create_account(client)

    user = User.objects.get()
    assert get_user(client) == user
    assert (user.username, user.email, user.first_name) == (EMAIL, EMAIL, "Ada")
    assert user.check_password(NEW_PASSWORD)
    assert user.memberships.get().role == "operator"
    assert open_link(Client(), secret).status_code == 410


def test_the_secret_does_not_stay_in_the_address(client: Client, secret: str) -> None:
    assert open_link(client, secret).redirect_chain == [(reverse("invitation"), 302)]


def test_nothing_changes_until_the_signed_in_person_accepts(client: Client, secret: str) -> None:
    user = UserFactory(email="NEW@example.com")
    page = open_link(client, secret).content.decode()
    assert "Sign in to accept" in page
    assert answer(client, "accept").status_code == 400
    client.post(reverse("login"), {"username": user.username, "password": PASSWORD})
    assert not Membership.objects.exists()

    answer(client, "accept")

    assert user.memberships.get().role == "operator"
    assert Invitation.objects.get().accepted_by == user


def test_a_password_is_not_set_for_an_address_that_has_an_account(client: Client, secret: str) -> None:
    user = UserFactory(email=EMAIL)
    open_link(client, secret)
    assert "already has an account" in create_account(client).context["error"]
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert not Membership.objects.exists()


def test_another_account_cannot_accept(client: Client, secret: str) -> None:
    client.force_login(UserFactory(email="other@example.com"))
    assert "another address" in open_link(client, secret).content.decode()
    answer(client, "accept")
    assert not Membership.objects.exists()


def test_staff_do_not_become_members(client: Client, secret: str) -> None:
    client.force_login(StaffFactory(email=EMAIL))
    assert "staff cannot become members" in open_link(client, secret).content.decode()
    answer(client, "accept")
    assert not Membership.objects.exists()


def test_a_token_cannot_accept(client: Client, customer: Customer, secret: str) -> None:
    _, text = make_token(customer)
    client.post(reverse("login"), {"username": "A", "password": text})
    open_link(client, secret)
    assert answer(client, "accept").status_code == 400
    assert create_account(client).status_code == 400
    assert not Membership.objects.exists()


def test_an_existing_membership_keeps_its_role(client: Client, customer: Customer, secret: str) -> None:
    user = UserFactory(email=EMAIL)
    Membership.objects.create(user=user, customer=customer, role="manager")
    client.force_login(user)
    open_link(client, secret)
    answer(client, "accept")
    assert user.memberships.get().role == "manager"


def test_a_declined_invitation_ends(client: Client, secret: str) -> None:
    open_link(client, secret)
    answer(client, "decline")
    assert Invitation.objects.get().outcome == "declined"
    assert open_link(client, secret).status_code == 410
    assert not User.objects.exists()


def test_a_link_expires(client: Client, secret: str) -> None:
    open_link(client, secret)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert create_account(client).status_code == 410
    assert open_link(client, secret).status_code == 410
    assert not User.objects.exists()


def test_a_link_to_an_inactive_customer_is_not_valid(client: Client, customer: Customer, secret: str) -> None:
    Customer.objects.update(is_active=False)
    assert open_link(client, secret).status_code == 410


@pytest.mark.parametrize("secret", ["unknown", "é", "%00"])
def test_an_unknown_link_is_not_valid(client: Client, secret: str) -> None:
    assert client.get(f"/account/invitations/{secret}").status_code == 410


def test_two_requests_at_once_accept_once(secret: str) -> None:
    invitation = invitations.find(secret, timezone.now())
    assert invitation is not None
    user = UserFactory(email=EMAIL)
    invitations.accept(invitation, user, timezone.now())
    with pytest.raises(invitations.NotAcceptable, match="already used"):
        invitations.accept(invitation, user, timezone.now())


class TestPasswordLinks:
    def test_a_link_sets_a_password_once_and_does_not_sign_in(self, client: Client) -> None:
        user = UserFactory()
        path = password_path(user)
        form = client.get(path, follow=True)
        passwords = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

        assert client.post(form.redirect_chain[-1][0], passwords)["Location"] == reverse("login")

        user.refresh_from_db()
        assert user.check_password(NEW_PASSWORD)
        assert not get_user(client).is_authenticated
        assert "has been used" in client.get(path).content.decode()

    def test_links_that_managers_were_shown_before_are_not_valid(self, client: Client) -> None:
        user = UserFactory()
        uid = urlsafe_base64_encode(force_bytes(user.pk))
        former = reverse("password-set", args=[uid, default_token_generator.make_token(user)])
        assert "has been used" in client.get(former, follow=True).content.decode()


class TestForgottenPasswords:
    @pytest.fixture(autouse=True)
    def mail_server(self, settings: Settings) -> None:
        settings.EMAIL_URL = "smtp://mail.example.com:25"
        settings.SITE_URL = "https://cold.example.com"

    def test_a_link_is_mailed_to_the_account_of_the_address(
        self, client: Client, mailoutbox: list[EmailMessage]
    ) -> None:
        user = UserFactory(email="anna@example.com")
        assert people_with_address("ANNA@example.com") == [user.pk]

        send_password_links([user.pk])

        [mail] = mailoutbox
        [path] = re.findall(r"https://cold.example.com(/account/password/set/\S+)", str(mail.body))
        assert mail.to == ["anna@example.com"]
        assert "Set a new password" in str(mail.subject)
        assert client.get(path, follow=True).context["validlink"]

    def test_the_page_does_not_reveal_who_has_an_account(self, client: Client) -> None:
        UserFactory(email="anna@example.com")
        texts = set()
        for email in ("anna@example.com", "nobody@example.com"):
            response = client.post(reverse("password-forgotten"), {"email": email})
            texts.add(response.content.split(b"<main")[1])
        assert len(texts) == 1

    def test_deactivated_people_and_accounts_without_address_get_no_link(self, mailoutbox: list[EmailMessage]) -> None:
        without, inactive = UserFactory(email=""), UserFactory(is_active=False)
        assert people_with_address(inactive.email) == []
        send_password_links([without.pk, inactive.pk, 0])
        assert mailoutbox == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ["accept", "decline"])
def test_inviting_an_address_does_not_undo_an_answer_at_the_same_time(customer: Customer, end: str) -> None:
    """The answer remains on record, and the address has another invitation instead of the one that has ended."""
    user = UserFactory(email=EMAIL)
    invitation, _ = invitations.invite(customer, EMAIL, "viewer", by=None, now=timezone.now())

    def answer_it() -> None:
        if end == "accept":
            invitations.accept(invitation, user, timezone.now())
        else:
            invitations.decline(invitation, timezone.now())

    again, _ = race(answer_it, lambda: invitations.invite(customer, EMAIL, "operator", by=None, now=timezone.now()))

    invitation.refresh_from_db()
    assert invitation.outcome == {"accept": "accepted", "decline": "declined"}[end]
    assert (again.pk != invitation.pk, again.outcome) == (True, "")


class TestOfPeopleWhoNoLongerManage:
    """A manager who is removed does not return by an invitation to another address of theirs."""

    @pytest.fixture
    def former(self, customer: Customer) -> Membership:
        MembershipFactory(customer=customer, role="manager")
        return MembershipFactory(customer=customer, role="manager")

    @pytest.fixture
    def own_secret(self, former: Membership) -> str:
        return invitations.invite(former.customer, EMAIL, "manager", by=former.user, now=timezone.now())[1]

    def test_a_removed_member(self, client: Client, former: Membership, own_secret: str) -> None:
        members.remove(former, by="the operator")

        assert open_link(client, own_secret).status_code == 410
        assert Invitation.objects.get().outcome == "withdrawn"

    def test_a_member_with_another_role(self, client: Client, former: Membership, own_secret: str) -> None:
        members.change_role(former, "operator", by="another manager")

        assert open_link(client, own_secret).status_code == 410

    def test_a_deactivated_account(self, client: Client, former: Membership, own_secret: str) -> None:
        former.user.is_active = False
        former.user.save()

        assert open_link(client, own_secret).status_code == 410

    def test_a_deleted_account(self, client: Client, former: Membership, own_secret: str) -> None:
        former.user.delete()

        assert open_link(client, own_secret).status_code == 410

    def test_what_another_manager_has_sent_again_is_kept(self, client: Client, former: Membership) -> None:
        invitation, _ = invitations.invite(former.customer, EMAIL, "manager", by=former.user, now=timezone.now())
        other = former.customer.memberships.exclude(pk=former.pk).get()
        secret = invitations.renew(invitation, by=other.user, now=timezone.now())
        members.remove(former, by="the operator")

        assert open_link(client, secret).status_code == 200
