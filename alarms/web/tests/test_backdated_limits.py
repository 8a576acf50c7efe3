"""Limits are backdated on a unit's page and over the REST API, with a reason; the page shows a preview first."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alarms.models import LimitVersion, UnitLimits
from alarms.web.tests.test_limits import PLAIN, limits_url
from audit.models import AuditEntry
from customers.models import Facility, StorageUnit
from tests.api_clients import client_of
from tests.factories import MembershipFactory, StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

OWN = PLAIN | {"high_warning_c": 6, "reason": "Wrong product"}


@pytest.fixture
def begin() -> datetime:
    return (timezone.now() - timedelta(days=2)).replace(second=0, microsecond=0)


@pytest.fixture
def unit(begin: datetime) -> StorageUnit:
    """Return a unit at 5 ± 2 °C with half an hour at 6.5 °C, two days ago."""
    unit = StorageUnitFactory(facility__time_zone="Asia/Kolkata")
    store_readings(unit, [5, 6.5, 6.5, 6.5, 5], start=begin, every=timedelta(minutes=15))
    return unit


@pytest.fixture
def manager(client: Client, unit: StorageUnit) -> Client:
    client.force_login(MembershipFactory(customer=unit.facility.customer, role="manager").user)
    return client


def local(unit: StorageUnit, instant: datetime) -> str:
    return f"{instant.astimezone(unit.facility.zone):%Y-%m-%dT%H:%M}"


def test_a_preview_comes_before_saving(manager: Client, unit: StorageUnit, begin: datetime) -> None:
    fields = OWN | {"applies_from": local(unit, begin)}
    page = manager.post(limits_url(unit), fields)
    assert [(title, len(rows)) for title, rows in page.context["parts"]] == [
        ("Additional excursions", 1),
        ("Removed excursions", 0),
        ("Excursions in both", 0),
    ]
    assert not UnitLimits.objects.exists()

    assert manager.post(limits_url(unit), fields | {"previewed": page.context["previewed"]}).status_code == 302
    newest = LimitVersion.objects.filter(storage_unit=unit).latest("valid_from")
    assert (newest.valid_from, newest.high_warning_c, newest.reason) == (begin, 6.0, "Wrong product")
    assert "Reason: Wrong product" in manager.get(limits_url(unit)).content.decode()


def test_limits_that_differ_from_the_previewed_ones_are_previewed_again(
    manager: Client, unit: StorageUnit, begin: datetime
) -> None:
    fields = OWN | {"applies_from": local(unit, begin)}
    previewed = manager.post(limits_url(unit), fields).context["previewed"]
    page = manager.post(limits_url(unit), fields | {"high_warning_c": 7, "previewed": previewed})
    assert page.status_code == 200
    assert not UnitLimits.objects.exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"applies_from": "2026-01-01T00:00", "reason": ""}, "State why the limits are backdated."),
        ({"applies_from": "2099-01-01T00:00"}, "between 2000 and now"),
        ({"applies_from": "1999-01-01T00:00"}, "between 2000 and now"),
    ],
)
def test_backdating_requires_a_time_in_the_past_and_a_reason(
    manager: Client, unit: StorageUnit, fields: dict[str, str], message: str
) -> None:
    assert message in manager.post(limits_url(unit), OWN | fields).content.decode()
    assert not UnitLimits.objects.exists()


def test_a_time_that_occurs_twice_is_explained_and_previewed_as_the_first(manager: Client, unit: StorageUnit) -> None:
    Facility.objects.update(time_zone="Europe/Berlin")
    page = manager.get(limits_url(unit)).content.decode()
    assert "One that occurs twice, when summer time ends, means the first" in page

    previewed = manager.post(limits_url(unit), OWN | {"applies_from": "2025-10-26T02:30"}).content.decode()
    assert "limits from 26 Oct 2025, 02:30 CEST on" in previewed


def test_a_reason_may_be_stated_for_limits_from_now_on(manager: Client, unit: StorageUnit) -> None:
    assert manager.post(limits_url(unit), OWN | {"applies_from": "", "reason": "New goods."}).status_code == 302

    assert AuditEntry.objects.filter(model="alarms.unitlimits", reason="New goods.").exists()


def test_limits_are_backdated_over_the_api(unit: StorageUnit, begin: datetime) -> None:
    api = client_of(unit.facility.customer)
    url = f"/api/v1/units/{unit.public_id}/limits"
    own = {"profile_id": None, "is_around_set_temperature": False, "high_warning_c": 6.0}
    rejected = api.put(url, own | {"applies_from": begin.isoformat()})
    assert (rejected.status_code, list(rejected.json())) == (400, ["reason"])
    answer = api.put(url, own | {"applies_from": begin.isoformat(), "reason": "Wrong product"})
    assert answer.status_code == 200
    in_force = answer.json()["in_force"]
    assert datetime.fromisoformat(in_force["valid_from"]) == begin
    assert in_force["reason"] == "Wrong product"
