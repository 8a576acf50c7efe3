"""A remembered query gives each scope what the queryset would give it, whoever asked before."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, Facility, StorageUnit
from customers.remembered import RememberedQuery
from customers.scope import Scope, ScopedModel
from tests.factories import CustomerFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db


def codes_within(scope: Scope):
    return Facility.objects.within(scope).values_list("facility_code")


@pytest.fixture
def units() -> list[StorageUnit]:
    return [StorageUnitFactory() for _ in range(3)]


def scopes_of(units: list[StorageUnit]) -> list[Scope]:
    first, second, third = (unit.facility.customer_id for unit in units)
    return [
        Scope(frozenset({first})),
        Scope(frozenset({second, third})),
        Scope.everything(),
        Scope(frozenset({first, second}), frozenset({units[1].pk})),
        Scope(None, frozenset({units[2].pk})),
        Scope.nothing(),
        Scope(frozenset({first}), frozenset()),
        Scope(frozenset({third})),
    ]


def test_each_scope_gets_what_the_queryset_gives_it(units: list[StorageUnit]):
    remembered = RememberedQuery(codes_within)

    for scope in scopes_of(units):
        assert list(remembered.within(scope)) == list(codes_within(scope))
        assert remembered.within(scope)[1:3] == list(codes_within(scope)[1:3])
        assert remembered.within(scope).count() == codes_within(scope).count()


def test_a_model_that_names_no_way_gives_nothing(monkeypatch: pytest.MonkeyPatch):
    customer = CustomerFactory()
    monkeypatch.delattr(Customer, "SCOPE")
    monkeypatch.delattr(ScopedModel, "SCOPE", raising=False)
    remembered = RememberedQuery(lambda scope: Customer.objects.within(scope).values_list("pk"))

    assert list(remembered.within(Scope.of_customer(customer.pk))) == []


def test_the_text_is_made_once_for_each_kind_of_scope(units: list[StorageUnit]):
    made: list[Scope] = []

    def build(scope: Scope):
        made.append(scope)
        return codes_within(scope)

    remembered = RememberedQuery(build)
    for unit in units:
        list(remembered.within(Scope.of_customer(unit.facility.customer_id)))

    assert len(made) == 1


def test_nothing_is_asked_for_who_may_see_nothing():
    with CaptureQueriesContext(connection) as queries:
        assert list(RememberedQuery(codes_within).within(Scope.nothing())) == []

    assert len(queries) == 0
