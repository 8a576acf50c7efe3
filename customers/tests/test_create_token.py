"""`manage.py create_token`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.access.tokens import possible_hashes
from customers.models import ApiToken, Customer
from tests.factories import CustomerFactory, FacilityFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A")


def create_token(*arguments: str) -> str:
    """Return what the command prints on standard output."""
    out = StringIO()
    call_command("create_token", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_token_alone_is_printed(customer: Customer) -> None:
    text = create_token("A", "reports", "--permission", "read", "--permission", "write").strip()
    token = ApiToken.objects.get()
    assert token.token_hash in possible_hashes(text)
    assert (token.customer, token.token_name, token.permissions) == (customer, "reports", ["read", "write"])
    assert (token.expires_at, token.rate_limit_per_hour) == (None, None)


def test_units_expiry_and_rate_limit_are_set(customer: Customer) -> None:
    unit = StorageUnitFactory(facility__customer=customer, unit_code="unit_A_1_1")
    create_token(
        "A", "x", "--permission=read", "--unit", "unit_A_1_1", "--expires", "2100-01-31T12:00", "--rate-limit", "60"
    )
    token = ApiToken.objects.get()
    assert list(token.accessible_units.all()) == [unit]
    assert token.expires_at == datetime(2100, 1, 31, 12, tzinfo=UTC)
    assert token.rate_limit_per_hour == 60


def test_days_count_from_now(customer: Customer) -> None:
    create_token("A", "x", "--permission=read", "--days=30")
    expires_at = ApiToken.objects.get().expires_at
    assert expires_at is not None
    remaining = expires_at - timezone.now()
    assert timedelta(days=29, hours=23) < remaining <= timedelta(days=30)


def test_an_ambiguous_unit_code_requires_the_facility(customer: Customer) -> None:
    for code in ("north", "south"):
        StorageUnitFactory(facility=FacilityFactory(customer=customer, facility_code=code), unit_code="cold1")
    with pytest.raises(CommandError, match="north/cold1, south/cold1"):
        create_token("A", "x", "--permission=read", "--unit=cold1")
    create_token("A", "x", "--permission=read", "--unit=south/cold1")
    assert ApiToken.objects.get().accessible_units.get().facility.facility_code == "south"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["B", "x", "--permission=read"], "There is no customer B."),
        (["A", "x"], "--permission"),
        (["A", "x", "--permission=all"], "invalid choice"),
        (["A", "x", "--permission=read", "--unit=theirs"], "A has no storage unit theirs."),
        (["A", "x", "--permission=read", "--expires=soon"], "is not a time such as"),
        (["A", "x", "--permission=read", "--expires=2020-01-01"], "expired already"),
        (["A", "x", "--permission=read", "--expires=9999-12-31T23:59:59-23:00"], "is no date in UTC"),
        (["A", "x", "--permission=read", "--days=3000000"], "--days must be at most 36,500"),
        (["A", "x", "--permission=read", "--days=0"], "is not a whole number above 0"),
        (["A", "x", "--permission=read", "--days=1", "--expires=2100-01-01"], "not allowed with"),
        (["A", "x" * 201, "--permission=read"], "at most 200 characters"),
    ],
)
def test_invalid_arguments_are_rejected_and_create_no_token(
    customer: Customer, arguments: list[str], message: str
) -> None:
    StorageUnitFactory(unit_code="theirs")
    with pytest.raises(CommandError, match=message):
        create_token(*arguments)
    assert not ApiToken.objects.exists()
