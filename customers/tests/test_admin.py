"""The admin of customers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.web.admin import is_used
from customers.access.tokens import create_token, possible_hashes
from customers.models import ApiToken, Customer, StorageUnit
from tests.admin_pages import assert_queries_stay, listed_rows
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    MembershipFactory,
    SensorFactory,
    StaffFactory,
    StorageUnitFactory,
    UserFactory,
    make_token,
)
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


@pytest.mark.parametrize("model", ["customer", "facility", "storageunit", "sensor", "membership", "apitoken"])
def test_only_staff_have_access(client: Client, model: str) -> None:
    client.force_login(MembershipFactory().user)
    assert client.get(reverse(f"admin:customers_{model}_changelist")).status_code == 302


@pytest.mark.parametrize("model", ["customer", "facility", "storageunit", "sensor", "membership", "apitoken"])
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(staff: Client, model: str) -> None:
    def grow() -> None:
        sensor = SensorFactory()
        customer = sensor.storage_unit.facility.customer
        MembershipFactory(customer=customer)
        make_token(customer)

    assert_queries_stay(staff, reverse(f"admin:customers_{model}_changelist"), grow)


def test_the_list_of_customers_counts_what_they_own(staff: Client) -> None:
    customer = CustomerFactory()
    StorageUnitFactory.create_batch(2, facility=FacilityFactory(customer=customer))
    FacilityFactory(customer=customer)
    [row] = listed_rows(staff.get(reverse("admin:customers_customer_changelist")))
    assert (row.facilities_counted, row.units_counted) == (2, 2)


def test_a_customer_filter_applies_even_if_there_are_too_many_choices(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.web.admin.FewRelatedFilter.FEW", 1)
    facility, _ = FacilityFactory(), FacilityFactory()
    url = reverse("admin:customers_facility_changelist")
    response = staff.get(url, {"customer__id__exact": facility.customer_id})
    assert listed_rows(response) == [facility]


def test_the_operator_decides_of_each_customer_what_its_people_must_do(staff: Client) -> None:
    """Whether they state a reason for changes, and sign what they do about alarms: nobody else can decide it."""
    customer = CustomerFactory()
    url = reverse("admin:customers_customer_change", args=[customer.pk])
    form = staff.get(url).context["adminform"].form
    fields = {name: value for name, value in form.initial.items() if name in form.fields and value is not None}
    inline = {f"memberships-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}

    decided = {"requires_reason": "on", "requires_signatures": "on", "reason": "Agreed by contract."}
    response = staff.post(url, {**fields, **inline, **decided})

    assert response.status_code == 302
    customer.refresh_from_db()
    assert (customer.requires_reason, customer.requires_signatures) == (True, True)


class TestDeleting:
    def test_rows_that_others_refer_to_cannot_be_deleted(self, staff: Client) -> None:
        unit = SensorFactory().storage_unit
        assert is_used(unit)
        response = staff.post(reverse("admin:customers_storageunit_delete", args=[unit.pk]), {"post": "yes"})
        assert response.status_code == 403
        assert StorageUnit.objects.filter(pk=unit.pk).exists()

    def test_unused_rows_can_be_deleted(self, staff: Client) -> None:
        customer = CustomerFactory()
        staff.post(reverse("admin:customers_customer_delete", args=[customer.pk]), {"post": "yes"})
        assert not Customer.objects.filter(pk=customer.pk).exists()


class TestTokens:
    def add(self, staff: Client, customer: Customer, **fields: object) -> PageResponse:
        data = {"customer": customer.pk, "token_name": "reports", "permissions": ["read"], **fields}
        return staff.post(reverse("admin:customers_apitoken_add"), data)

    def test_a_new_token_is_shown_once(self, staff: Client) -> None:
        unit = StorageUnitFactory()
        response = self.add(staff, unit.facility.customer, accessible_units=[unit.pk], rate_limit_per_hour="60")
        token = ApiToken.objects.get()
        [text] = [str(m).partition("<code>")[2].partition("<")[0] for m in get_messages(response.wsgi_request)][:1]
        assert token.token_hash in possible_hashes(text)
        assert (token.permissions, token.rate_limit_per_hour, token.prefix) == (["read"], 60, text[:12])
        assert list(token.accessible_units.all()) == [unit]
        assert token.created_by is not None
        page = staff.get(response["Location"]).content.decode()
        assert page.count(text) == 1
        again = staff.get(response["Location"]).content.decode()
        assert text not in again

    def test_a_token_without_permissions_is_rejected(self, staff: Client) -> None:
        self.add(staff, CustomerFactory(), permissions=[])
        assert not ApiToken.objects.exists()

    def test_units_of_another_customer_are_rejected(self, staff: Client) -> None:
        foreign = StorageUnitFactory(unit_code="theirs")
        response = self.add(staff, CustomerFactory(), accessible_units=[foreign.pk])
        assert "theirs" in str(response.context["adminform"].form.errors["accessible_units"])
        assert not ApiToken.objects.exists()

    def test_a_tokens_hash_is_not_displayed(self, staff: Client) -> None:
        token, _ = make_token()
        for url in ("admin:customers_apitoken_changelist", "admin:customers_apitoken_change"):
            page = staff.get(reverse(url, args=[token.pk] if url.endswith("change") else []))
            assert token.token_hash not in page.content.decode()

    def test_a_changed_token_keeps_its_text_and_its_customer(self, staff: Client) -> None:
        token, text = make_token()
        other = CustomerFactory()
        url = reverse("admin:customers_apitoken_change", args=[token.pk])
        staff.post(url, {"token_name": "renamed", "permissions": ["write"], "customer": other.pk})
        changed = ApiToken.objects.get()
        assert (changed.token_name, changed.permissions) == ("renamed", ["write"])
        assert changed.customer == token.customer
        assert changed.token_hash in possible_hashes(text)

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"permissions": ["read", "admin"]}, "permissions"),
            ({"accessible_units": []}, "accessible_units"),
            ({"rate_limit_per_hour": ""}, "rate_limit_per_hour"),
            ({"rate_limit_per_hour": 61}, "rate_limit_per_hour"),
            ({"expires_at_0": "", "expires_at_1": ""}, "expires_at"),
        ],
    )
    def test_only_a_superuser_gives_a_token_more(self, client: Client, changed: dict[str, object], field: str) -> None:
        """Whoever may revoke tokens could otherwise give one that they hold any right."""
        unit = StorageUnitFactory()
        in_two_days = (timezone.now() + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
        token, _ = make_token(
            unit.facility.customer, permissions=["read"], units=[unit], rate_limit_per_hour=60, expires_at=in_two_days
        )
        kept: dict[str, object] = {
            "token_name": "reports", "permissions": ["read"], "accessible_units": [unit.pk],
        }  # fmt: skip
        kept |= {"rate_limit_per_hour": 60, "expires_at_0": f"{in_two_days:%Y-%m-%d}", "expires_at_1": "00:00"}
        url = reverse("admin:customers_apitoken_change", args=[token.pk])
        support = StaffFactory(is_superuser=False)
        support.user_permissions.add(*Permission.objects.filter(codename__in=("view_apitoken", "change_apitoken")))
        client.force_login(support)

        refused = client.post(url, kept | changed)
        assert refused.context["adminform"].form.errors[field] == [
            "A token that exists cannot be given more. Create another one."
        ]
        assert client.post(url, kept | {"rate_limit_per_hour": 10}).status_code == 302

        client.force_login(StaffFactory())
        assert client.post(url, kept | {"rate_limit_per_hour": 10} | changed).status_code == 302

    def test_nobody_gives_a_token_more_than_the_one_that_created_it(self, staff: Client) -> None:
        parent, _ = make_token()
        token, _ = create_token(parent.customer, "reports", ["read"], created_by_token=parent)
        url = reverse("admin:customers_apitoken_change", args=[token.pk])

        refused = staff.post(url, {"token_name": "reports", "permissions": ["read", "write"]})

        assert "permissions" in refused.context["adminform"].form.errors

    def test_revoking_keeps_the_time_of_the_first(self, staff: Client) -> None:
        fresh, _ = make_token()
        old, _ = make_token()
        long_ago = timezone.now() - timedelta(days=1)
        ApiToken.objects.filter(pk=old.pk).update(revoked_at=long_ago)
        data = {"action": "revoke", "_selected_action": [fresh.pk, old.pk]}
        staff.post(reverse("admin:customers_apitoken_changelist"), data)
        fresh.refresh_from_db()
        old.refresh_from_db()
        assert fresh.revoked_at is not None
        assert fresh.revoked_at > long_ago
        assert old.revoked_at == long_ago

    @pytest.mark.parametrize("state", ["usable", "expired", "revoked"])
    def test_tokens_are_filtered_by_state(self, staff: Client, state: str) -> None:
        now = timezone.now()
        tokens = {
            "usable": make_token(expires_at=now + timedelta(days=1))[0],
            "expired": make_token(expires_at=now - timedelta(days=1))[0],
            "revoked": make_token()[0],
        }
        ApiToken.objects.filter(pk=tokens["revoked"].pk).update(revoked_at=now)
        response = staff.get(reverse("admin:customers_apitoken_changelist"), {"state": state})
        assert listed_rows(response) == [tokens[state]]
        assert f">{state}</span>" in response.content.decode()


class TestMoves:
    """Readings, alarms and seals are records of a customer, so units stay with theirs."""

    def test_a_facility_with_units_stays_with_its_customer(self, staff: Client) -> None:
        unit, other = StorageUnitFactory(), CustomerFactory()
        facility = unit.facility
        fields = {"facility_code": facility.facility_code, "name": "North", "time_zone": "UTC"}
        page = reverse("admin:customers_facility_change", args=[facility.pk])

        refused = staff.post(page, fields | {"customer": other.pk})

        assert "Storage units stay with their customer." in refused.content.decode()
        assert staff.post(page, fields | {"customer": facility.customer_id}).status_code == 302
        facility.refresh_from_db()
        assert (facility.name, facility.customer_id != other.pk) == ("North", True)
        empty = FacilityFactory()
        page = reverse("admin:customers_facility_change", args=[empty.pk])
        assert staff.post(page, fields | {"customer": other.pk}).status_code == 302

    def test_a_unit_is_moved_within_its_customer_only(self) -> None:
        unit = StorageUnitFactory()
        unit.facility = FacilityFactory(customer=unit.facility.customer)
        unit.full_clean()
        unit.facility = FacilityFactory()
        with pytest.raises(ValidationError, match=r"Storage units stay with their customer\."):
            unit.full_clean()


def test_a_persons_page_shows_their_customers(staff: Client) -> None:
    membership = MembershipFactory()
    page = staff.get(reverse("admin:auth_user_change", args=[membership.user_id])).content.decode()
    assert membership.customer.customer_code in page
    assert staff.get(reverse("admin:auth_user_add")).status_code == 200


def test_a_user_name_that_was_given_to_another_account_is_refused_in_words(staff: Client) -> None:
    UserFactory(username="anna").delete()
    person = UserFactory(username="ben")

    new = staff.post(
        reverse("admin:auth_user_add"),
        {"username": "Anna", "usable_password": "true", "password1": "lamp giraffe 81", "password2": "lamp giraffe 81"},
    )
    renamed = staff.post(reverse("admin:auth_user_change", args=[person.pk]), {"username": "anna"})

    for response in (new, renamed):
        assert "User names are never reused." in response.content.decode()
    assert not User.objects.filter(username__iexact="anna").exists()
