"""Facilities over the REST API."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers.models import Customer, Facility
from tests.api_clients import client_of
from tests.factories import CustomerFactory, FacilityFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

URL = "/api/v1/facilities"
GIVEN = {
    "facility_code": "OX-1",
    "name": "Oxford",
    "city": "Oxford",
    "country": "England",
    "latitude": 51.75,
    "longitude": -1.25,
    "time_zone": "Europe/London",
}


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


@pytest.fixture
def api(customer: Customer) -> APIClient:
    return client_of(customer)


def test_a_created_facility_is_returned_and_listed(api: APIClient, customer: Customer) -> None:
    made = api.post(URL, GIVEN)

    assert made.status_code == 201
    facility = Facility.objects.get()
    assert facility.customer == customer
    assert made.json() == GIVEN | {
        "id": str(facility.public_id),
        "customer_id": str(customer.public_id),
        "created_at": facility.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert api.get(URL).json() == {
        "items": [made.json()],
        "total": 1,
        "page": 1,
        "page_size": 100,
        "pages": 1,
        "next": None,
        "previous": None,
    }
    assert api.get(f"{URL}/{facility.public_id}").json() == made.json()


def test_a_code_is_unique_per_customer(api: APIClient) -> None:
    api.post(URL, GIVEN)

    again = api.post(URL, GIVEN)
    elsewhere = client_of(CustomerFactory()).post(URL, GIVEN)

    assert again.status_code == 400
    assert "already has a facility with this code" in again.content.decode()
    assert elsewhere.status_code == 201
    assert Facility.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("facility_code", ""),
        ("facility_code", "a\u0007b"),
        ("facility_code", "x" * 101),
        ("facility_code", None),
        ("name", "a\u0000b"),
        ("latitude", 91),
        ("latitude", True),
        ("longitude", "nan"),
        ("longitude", "inf"),
        ("time_zone", "Europe/Nowhere"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", "localtime"),
        ("time_zone", "posixrules"),
        ("time_zone", "Factory"),
        ("time_zone", "posix/Europe/London"),
        ("time_zone", "right/Europe/London"),
        ("name", {"first": "last"}),
    ],
)
def test_an_invalid_facility_is_reported_by_field(api: APIClient, field: str, value: object) -> None:
    rejected = api.post(URL, GIVEN | {field: value})

    assert rejected.status_code == 400
    assert list(rejected.json()) == [field]
    assert not Facility.objects.exists()


@pytest.mark.parametrize("body", [[], [GIVEN], "text", 5, None])
def test_a_body_that_is_not_an_object_is_rejected(api: APIClient, body: object) -> None:
    assert api.post(URL, body, format="json").status_code == 400


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_update_accepts_any_subset(api: APIClient, customer: Customer, method: str) -> None:
    facility = FacilityFactory(customer=customer, city="Oxford", name="old")

    changed = getattr(api, method)(f"{URL}/{facility.public_id}", {"name": "new"})

    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["city"]) == ("new", "Oxford")
    assert api.put(f"{URL}/{facility.public_id}", {}).json() == changed.json()


def test_id_and_customer_are_read_only(api: APIClient, customer: Customer) -> None:
    facility = FacilityFactory(customer=customer)
    other = CustomerFactory()

    api.put(f"{URL}/{facility.public_id}", {"id": str(other.public_id), "customer_id": str(other.public_id)})

    facility.refresh_from_db()
    assert facility.customer == customer


def test_a_facility_of_another_customer_is_not_found(api: APIClient) -> None:
    foreign = FacilityFactory(name="theirs")

    assert api.get(f"{URL}/{foreign.public_id}").status_code == 404
    assert api.put(f"{URL}/{foreign.public_id}", {"name": "mine"}).status_code == 404
    foreign.refresh_from_db()
    assert foreign.name == "theirs"
    assert api.get(URL).json()["total"] == 0


def test_a_token_limited_to_units_reads_their_facilities_and_changes_none(customer: Customer) -> None:
    unit = StorageUnitFactory(facility__customer=customer)
    StorageUnitFactory.create_batch(2, facility=unit.facility)
    FacilityFactory(customer=customer)
    limited = client_of(customer, units=[unit])

    listed = limited.get(URL).json()

    assert [facility["id"] for facility in listed["items"]] == [str(unit.facility.public_id)]
    assert limited.post(URL, GIVEN).status_code == 403
    assert limited.put(f"{URL}/{unit.facility.public_id}", {"name": "x"}).status_code == 403


def test_an_admin_lists_every_customers_facilities(customer: Customer) -> None:
    facility = FacilityFactory(customer=customer)
    StorageUnitFactory.create_batch(2, facility=facility)
    FacilityFactory()
    admin = client_of(CustomerFactory(), permissions=["admin"])

    everything = admin.get("/api/v1/admin/facilities").json()
    of_one = admin.get("/api/v1/admin/facilities", {"customer_id": str(customer.public_id)}).json()

    assert everything["total"] == 2
    (listed,) = of_one["items"]
    assert listed["customer_code"] == customer.customer_code
    assert listed["customer_name"] == customer.name
    assert listed["unit_count"] == 2


def test_an_admin_creates_a_facility_for_a_customer(customer: Customer) -> None:
    admin = client_of(CustomerFactory(), permissions=["admin"])

    made = admin.post(f"{URL}?customer_id={customer.public_id}", GIVEN)

    assert made.json()["customer_id"] == str(customer.public_id)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=abc", "offset=-1"])
def test_an_invalid_page_is_422(api: APIClient, query: str) -> None:
    assert api.get(f"{URL}?{query}").status_code == 422


def test_every_page_takes_the_same_number_of_queries(
    api: APIClient, customer: Customer, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    facilities = FacilityFactory.create_batch(5, customer=customer)
    seen = []
    url = f"{URL}?limit=2"
    while url:
        with django_assert_max_num_queries(4):
            page = api.get(url).json()
        seen += [facility["id"] for facility in page["items"]]
        url = page["next"]
    assert seen == [str(each.public_id) for each in sorted(facilities, key=lambda each: each.facility_code)]
