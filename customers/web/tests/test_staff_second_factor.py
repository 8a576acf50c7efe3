"""Staff without a second factor have no access as staff, where the operator requires one: outside the demo."""

from __future__ import annotations

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from customers.models import Customer
from tests.factories import PASSWORD, MembershipFactory, StaffFactory, StorageUnitFactory, UserFactory, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _required(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True


@pytest.fixture
def customer() -> Customer:
    customer: Customer = StorageUnitFactory(name="Vaccines").facility.customer
    return customer


@pytest.fixture(params=["superuser", "Administrators", "Support"])
def staff(request: pytest.FixtureRequest) -> User:
    user: User = StaffFactory() if request.param == "superuser" else UserFactory(is_staff=True)
    user.groups.set(Group.objects.filter(name=request.param))
    return user


def sign_in(client: Client, user: User) -> str:
    entered = {"username": user.get_username(), "password": PASSWORD}
    return str(client.post(reverse("login"), entered).headers["Location"])


def statuses(client: Client, customer: Customer) -> list[int]:
    pages = [
        reverse("admin:customers_customer_changelist"),
        reverse("settings-people", args=[customer.public_id]),
        "/api/v1/admin/customers",
        "/system-info",
    ]
    return [client.get(page).status_code for page in pages]


def test_without_one_staff_have_no_access(client: Client, customer: Customer, staff: User) -> None:
    assert sign_in(client, staff) == reverse("mfa_index")

    page = client.get("/").content.decode()

    assert "Vaccines" not in page
    assert "Set one up to get access" in page
    assert statuses(client, customer) == [302, 403, 403, 403]
    led_to = client.get(reverse("admin:index"), follow=True)
    assert led_to.redirect_chain[-1][0] in (reverse("mfa_index"), reverse("account_reauthenticate"))


def test_recovery_codes_alone_are_none(client: Client, customer: Customer, staff: User) -> None:
    RecoveryCodes.activate(staff)
    client.force_login(staff)
    assert statuses(client, customer) == [302, 403, 403, 403]


def test_with_one_staff_have_access(client: Client, customer: Customer, staff: User) -> None:
    TOTP.activate(staff, generate_totp_secret())
    client.force_login(staff)
    assert statuses(client, customer) == [200, 200, 200, 200]
    assert "Vaccines" in client.get("/").content.decode()


def test_where_it_is_not_required_staff_have_access(
    client: Client, customer: Customer, staff: User, settings: Settings
) -> None:
    settings.STAFF_SECOND_FACTOR = False
    sign_in(client, staff)
    assert statuses(client, customer) == [200, 200, 200, 200]


def test_members_and_tokens_are_not_affected(client: Client, customer: Customer) -> None:
    client.force_login(MembershipFactory(customer=customer, role="manager").user)
    assert client.get(reverse("settings-people", args=[customer.public_id])).status_code == 200
    _, text = make_token(customer, permissions=["admin"], created_by=StaffFactory())
    listed = Client().get("/api/v1/admin/customers", headers={"Authorization": f"Bearer {text}"})
    assert listed.status_code == 200
