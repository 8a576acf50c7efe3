"""A compiled query gives each scope what the queryset would give it."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from core.db.compiled_queries import PUBLIC_IDS, CompiledObjectQuery, CompiledQuery
from core.scope import Scope, ScopedModel
from customers.models import Customer, Facility, StorageUnit
from tests.factories import CustomerFactory, StorageUnitFactory, store_reading

pytestmark = pytest.mark.django_db


def visible_codes(scope: Scope) -> QuerySet[Facility, tuple[str]]:
    return Facility.objects.visible_to(scope).values_list("facility_code")


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


def test_each_scope_gets_what_the_queryset_gives_it(units: list[StorageUnit]) -> None:
    compiled = CompiledQuery(visible_codes)

    for scope in scopes_of(units):
        assert list(compiled.visible_to(scope)) == list(visible_codes(scope))
        assert compiled.visible_to(scope)[1:3] == list(visible_codes(scope)[1:3])
        assert compiled.visible_to(scope).count() == visible_codes(scope).count()


def test_a_model_without_lookups_yields_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    customer = CustomerFactory()
    monkeypatch.delattr(Customer, "SCOPE")
    monkeypatch.delattr(ScopedModel, "SCOPE", raising=False)
    compiled = CompiledQuery(lambda scope: Customer.objects.visible_to(scope).values_list("pk"))

    assert list(compiled.visible_to(Scope.of_customer(customer.pk))) == []


@pytest.mark.parametrize("is_look_up", [False, True])
def test_parameters_that_are_the_same_for_every_scope_are_inlined(units: list[StorageUnit], is_look_up: bool) -> None:
    Facility.objects.update(name="50 % off 'quoted'")

    def named(scope: Scope) -> QuerySet[Facility, tuple[str]]:
        return Facility.objects.visible_to(scope).filter(name="50 % off 'quoted'").values_list("facility_code")

    compiled = CompiledQuery(named, is_look_up=is_look_up)

    for scope in scopes_of(units):
        assert list(compiled.visible_to(scope)) == list(named(scope))


class TestObject:
    compiled = CompiledObjectQuery(StorageUnit, "facility__customer", "latest_reading__sensor")

    def test_an_object_is_loaded_with_its_related_objects(
        self, units: list[StorageUnit], django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        store_reading(units[0], 4.5)
        self.compiled.visible_to(Scope.everything(), units[0].public_id)
        related = StorageUnit.objects.select_related("facility__customer", "latest_reading__sensor")
        expected = related.get(pk=units[0].pk)

        with django_assert_num_queries(1):
            unit = self.compiled.visible_to(Scope.everything(), units[0].public_id)
            parts = [unit, unit.facility, unit.facility.customer, unit.latest_reading, unit.latest_reading.sensor]

        same = [expected, expected.facility, expected.facility.customer]
        same += [expected.latest_reading, expected.latest_reading.sensor]
        for part, other in zip(parts, same, strict=True):
            assert {field.attname: getattr(part, field.attname) for field in part._meta.concrete_fields} == {
                field.attname: getattr(other, field.attname) for field in other._meta.concrete_fields
            }

    def test_a_missing_related_object_is_cached_as_missing(
        self, units: list[StorageUnit], django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(1):
            unit = self.compiled.visible_to(Scope.everything(), units[1].public_id)
            assert not hasattr(unit, "latest_reading")

    def test_a_loaded_object_can_be_changed_and_saved(self, units: list[StorageUnit]) -> None:
        unit = self.compiled.visible_to(Scope.everything(), units[0].public_id)
        unit.name = "another"
        unit.save()

        assert StorageUnit.objects.get(pk=unit.pk).name == "another"

    def test_an_object_outside_the_scope_is_not_found(self, units: list[StorageUnit]) -> None:
        for scope in scopes_of(units):
            for unit in units:
                is_found = StorageUnit.objects.visible_to(scope).filter(pk=unit.pk).exists()
                try:
                    assert self.compiled.visible_to(scope, unit.public_id) == unit
                except StorageUnit.DoesNotExist:
                    assert not is_found
                else:
                    assert is_found

    def test_a_field_that_converts_database_values_is_read_when_it_is_asked_for(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        address = "https://cold.example.com/data?key=open-sesame"
        customer = CustomerFactory(api_url=address)
        with django_assert_num_queries(1):
            found = CompiledObjectQuery(Customer).visible_to(Scope.everything(), customer.public_id)
        assert found.api_url == "https://cold.example.com/data?key=***"
        with django_assert_num_queries(1):
            assert found.request_api_url == address


def test_the_sql_is_compiled_once_for_each_kind_of_scope(units: list[StorageUnit]) -> None:
    made: list[Scope] = []

    def build(scope: Scope) -> QuerySet[Facility, tuple[str]]:
        made.append(scope)
        return visible_codes(scope)

    compiled = CompiledQuery(build)
    for unit in units:
        list(compiled.visible_to(Scope.of_customer(unit.facility.customer_id)))

    assert len(made) == 1


def test_public_ids_select_only_what_the_scope_sees(units: list[StorageUnit]) -> None:
    compiled = CompiledQuery(
        lambda scope: StorageUnit.objects.visible_to(scope).filter(public_id__any_of=PUBLIC_IDS).values_list("pk"),
        is_look_up=True,
    )
    wanted = {unit.public_id for unit in units[:2]} | {uuid4()}

    for scope in scopes_of(units):
        rows = compiled.visible_to(scope).with_public_ids(wanted)
        seen = StorageUnit.objects.visible_to(scope).filter(public_id__in=wanted)
        assert {pk for (pk,) in rows} == set(seen.values_list("pk", flat=True))
    assert compiled.visible_to(Scope.everything()).with_public_ids([]) == []


def test_an_empty_scope_sends_no_query() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert list(CompiledQuery(visible_codes).visible_to(Scope.nothing())) == []

    assert len(queries) == 0
