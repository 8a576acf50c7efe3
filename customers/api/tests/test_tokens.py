"""Tokens over the REST API: creation, listing, restrictions by their creator, and revocation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import QuerySet
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from core.api.serializer_rows import Representation
from customers.api.views import TOKEN_ROWS
from customers.models import ApiToken, Customer
from tests.api_clients import client_of, client_with
from tests.factories import CustomerFactory, StorageUnitFactory, make_token

pytestmark = pytest.mark.django_db

URL = "/api/v1/customers/tokens"
WANTED = {"token_name": "loggers", "permissions": ["write"]}


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


def test_a_token_is_returned_once_and_grants_its_permissions(customer: Customer) -> None:
    made = client_of(customer).post(URL, {"token_name": "reports", "permissions": ["read"]})

    assert made.status_code == 201
    text = made.json().pop("token")
    assert client_with(text).get(URL).status_code == 200
    assert client_with(text).post(URL, WANTED).status_code == 403
    listed = {token["token_name"]: token for token in client_of(customer).get(URL).json()}
    assert "token" not in listed["reports"]
    assert listed["reports"] == {
        "id": made.json()["id"],
        "token_name": "reports",
        "permissions": ["read"],
        "rate_limit_per_hour": None,
        "accessible_units": [],
        "source_id": None,
        "expires_at": None,
        "last_used_at": listed["reports"]["last_used_at"],
        "created_at": made.json()["created_at"],
        "is_active": True,
    }


def test_a_token_is_returned_with_its_restrictions(customer: Customer) -> None:
    unit = StorageUnitFactory(facility__customer=customer)
    expires = (timezone.now() + timedelta(days=30)).replace(microsecond=0)
    limits = {
        "rate_limit_per_hour": 100,
        "accessible_units": [str(unit.public_id)],
        "expires_at": expires.isoformat().replace("+00:00", "Z"),
    }

    made = client_of(customer).post(URL, WANTED | limits).json()

    assert {name: made[name] for name in limits} == limits
    token = ApiToken.objects.get(public_id=made["id"])
    assert (token.rate_limit_per_hour, token.expires_at) == (100, expires)
    assert list(token.accessible_units.all()) == [unit]


@pytest.mark.parametrize("permissions", [["read"], ["write"], ["admin"], ["manage", "admin"]])
def test_a_permission_that_the_creator_lacks_is_not_granted(customer: Customer, permissions: list[str]) -> None:
    creator = client_of(customer, permissions=["manage"])
    before = ApiToken.objects.count()

    rejected = creator.post(URL, {"token_name": "more", "permissions": permissions})

    assert rejected.status_code == 403
    assert ApiToken.objects.count() == before


def test_a_unit_that_the_creator_cannot_see_is_not_granted(customer: Customer) -> None:
    seen, unseen = StorageUnitFactory.create_batch(2, facility__customer=customer)
    limited = client_of(customer, units=[seen])

    rejected = limited.post(URL, WANTED | {"accessible_units": [str(unseen.public_id)]})
    granted = limited.post(URL, WANTED)

    assert rejected.status_code == 400
    assert granted.json()["accessible_units"] == [str(seen.public_id)]


def test_a_unit_of_another_customer_is_not_granted(customer: Customer) -> None:
    foreign = StorageUnitFactory()
    rejected = client_of(customer).post(URL, WANTED | {"accessible_units": [str(foreign.public_id)]})
    assert rejected.status_code == 400
    assert not ApiToken.objects.filter(token_name="loggers").exists()


def test_expiry_and_rate_limit_do_not_exceed_the_creators(customer: Customer) -> None:
    ends = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    creator = client_of(customer, expires_at=ends, rate_limit_per_hour=50)

    inherited = creator.post(URL, WANTED).json()
    longer = creator.post(URL, WANTED | {"expires_at": (ends + timedelta(days=1)).isoformat()})
    quicker = creator.post(URL, WANTED | {"rate_limit_per_hour": 51})
    less = creator.post(URL, WANTED | {"rate_limit_per_hour": 5})

    assert inherited["rate_limit_per_hour"] == 50
    assert inherited["expires_at"] == ends.isoformat().replace("+00:00", "Z")
    assert (longer.status_code, quicker.status_code) == (403, 403)
    assert less.json()["rate_limit_per_hour"] == 5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("token_name", ""),
        ("permissions", []),
        ("permissions", ["everything"]),
        ("permissions", "read"),
        ("rate_limit_per_hour", 0),
        ("rate_limit_per_hour", 2**31),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", "9999-12-31T23:59:59-12:00"),
        ("expires_at", "tomorrow"),
        ("accessible_units", ["no id"]),
        ("accessible_units", {"a": 1}),
    ],
)
def test_an_invalid_token_is_reported_by_field(customer: Customer, field: str, value: object) -> None:
    rejected = client_of(customer).post(URL, WANTED | {field: value})

    assert rejected.status_code == 400
    assert list(rejected.json()) == [field]


def test_a_revoked_token_is_returned_and_rejected(customer: Customer) -> None:
    token, text = make_token(customer)
    api = client_of(customer)

    revoked = api.delete(f"{URL}/{token.public_id}")
    again = api.delete(f"{URL}/{token.public_id}")

    assert revoked.status_code == again.status_code == 200
    assert revoked.json()["id"] == str(token.public_id)
    assert revoked.json()["is_active"] is False
    assert client_with(text).get(URL).status_code == 401


def test_a_token_of_another_customer_is_not_found(customer: Customer) -> None:
    token, text = make_token()
    assert client_of(customer).delete(f"{URL}/{token.public_id}").status_code == 404
    assert client_with(text).get(URL).status_code == 200


def test_an_admin_creates_and_lists_a_customers_tokens(customer: Customer) -> None:
    admin = client_of(CustomerFactory(), permissions=["admin"])
    url = f"/api/v1/admin/customers/{customer.public_id}/tokens"

    made = admin.post(url, {"token_name": "for them", "permissions": ["read", "write"]})

    assert made.status_code == 201
    assert ApiToken.objects.get(public_id=made.json()["id"]).customer == customer
    assert [token["token_name"] for token in admin.get(url).json()] == ["for them"]
    assert client_of(customer).get(url).status_code == 403


def test_the_list_takes_a_constant_number_of_queries(
    customer: Customer, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api = client_of(customer)
    api.get(URL)
    for number in (1, 10):
        for _ in range(number):
            make_token(customer, units=[StorageUnitFactory(facility__customer=customer)])
        with django_assert_num_queries(3):
            api.get(URL)


def test_an_etag_is_never_newer_than_the_token_it_is_sent_with(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes the token after reading it would otherwise overwrite what they have not seen."""
    token, _ = make_token(customer)
    get = TOKEN_ROWS.get

    def get_before_a_change(rows: QuerySet[ApiToken]) -> Representation:
        representation = get(rows)
        ApiToken.objects.filter(pk=token.pk).update(token_name="renamed meanwhile")
        return representation

    monkeypatch.setattr(TOKEN_ROWS, "get", get_before_a_change)
    api, url = client_of(customer, ["read", "manage"]), f"{URL}/{token.public_id}"
    read = api.get(url)

    assert read.json()["token_name"] != "renamed meanwhile"
    assert api.delete(url, headers={"If-Match": read.headers["ETag"]}).status_code == 412
