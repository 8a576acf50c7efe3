"""Which alarms other limits would have added or removed."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alarms.excursions.what_if import LimitOrderError, apply_changes, replay_limits
from alarms.models import Alarm, Excursion
from alarms.thresholds import Limits
from customers.models import StorageUnit
from tests.factories import MembershipFactory, StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

EVERY = timedelta(minutes=10)


@pytest.fixture
def unit() -> StorageUnit:
    """At 5 ± 2 and ± 5 °C for half an hour: one excursion of 20 minutes, one of 60."""
    return StorageUnitFactory(unit_code="fridge", facility__customer__customer_code="A", interval_seconds=600)


@pytest.fixture
def begin() -> datetime:
    return timezone.now().replace(microsecond=0) - timedelta(days=2)


@pytest.fixture(autouse=True)
def readings(unit: StorageUnit, begin: datetime) -> None:
    store_readings(unit, [5, 7.5, 7.5, 5, 5, 8, 8, 9, 8, 8, 8, 5], start=begin, every=EVERY)


def test_a_shorter_delay_would_have_added_an_alarm(unit: StorageUnit, begin: datetime) -> None:
    found = replay_limits(unit, {"high_delay_seconds": 600}, timezone.now())
    assert [(each.started_at, each.opened_at) for each in found.added] == [(begin + EVERY, begin + 2 * EVERY)]
    assert found.removed == []
    ((before, after),) = found.unchanged
    assert (before.opened_at, after.opened_at) == (begin + 8 * EVERY, begin + 6 * EVERY)


def test_a_shorter_critical_delay_would_have_opened_the_alarm_as_critical(unit: StorageUnit, begin: datetime) -> None:
    critical = {"high_critical_c": 8.5, "high_critical_delay_seconds": 0}
    ((before, after),) = replay_limits(unit, critical, timezone.now()).unchanged
    assert (before.opened_at, before.severity) == (begin + 8 * EVERY, "warning")
    assert (after.opened_at, after.severity) == (begin + 7 * EVERY, "critical")


def test_a_higher_limit_would_have_removed_one(unit: StorageUnit, begin: datetime) -> None:
    found = replay_limits(unit, {"high_warning_c": 9.0}, timezone.now())
    assert [each.started_at for each in found.removed] == [begin + 5 * EVERY]
    assert (found.added, found.unchanged) == ([], [])


def test_a_replay_stores_nothing(unit: StorageUnit) -> None:
    replay_limits(unit, {"high_warning_c": 5.5}, timezone.now())
    assert not Excursion.objects.exists()
    assert not Alarm.objects.exists()


def test_limits_out_of_order_are_rejected() -> None:
    with pytest.raises(LimitOrderError, match="2 °C"):
        apply_changes(Limits(low_warning_c=2.0, high_warning_c=8.0), {"high_warning_c": 1.0})


def test_the_command_lists_added_and_removed_alarms(unit: StorageUnit) -> None:
    output = StringIO()
    call_command("replay_limits", "A/fridge", "--delay", "10m", stdout=output)
    assert "added: 1" in output.getvalue()
    assert "removed: 0" in output.getvalue()
    assert "peak 7.5\N{NO-BREAK SPACE}°C" in output.getvalue()


def test_the_command_applies_a_critical_delay(unit: StorageUnit) -> None:
    output = StringIO()
    call_command("replay_limits", "A/fridge", "--high-critical", "8.5", "--critical-delay", "0s", stdout=output)
    unchanged = output.getvalue().split("unchanged: 1\n")[1]
    assert ", warning, peak 9.0" in unchanged
    assert unchanged.endswith("as critical\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["A/fridge"], "at least one change"),
        (["A/cellar", "--high", "9"], "No such unit"),
        (["no-uuid", "--high", "9"], "No such unit"),
        (["A/fridge", "--high", "1"], "must increase"),
        (["A/fridge", "--delay", "soon"], "not a duration"),
        (["A/fridge", "--high", "warm"], "neither a temperature"),
        (["A/fridge", "--high", "nan"], "neither a temperature"),
        (["A/fridge", "--low-critical=-500"], "neither a temperature"),
        (["A/fridge", "--delay", "999999999d"], "longer than 30 days"),
        (["A/fridge", "--clearing-margin", "nan"], "number of kelvin from 0 to 50"),
        (["A/fridge", "--clearing-margin=-3"], "number of kelvin from 0 to 50"),
        (["A/fridge", "--high", "9", "--days", "3000000"], "--days must be from 1 to 3,650"),
        (["A/fridge", "--high", "9", "--days", "0"], "--days must be from 1 to 3,650"),
    ],
)
def test_the_command_reports_invalid_arguments(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("replay_limits", *arguments)


class TestPage:
    @pytest.fixture
    def url(self, unit: StorageUnit) -> str:
        return reverse("settings-limit-replay", args=[unit.facility.customer.public_id, unit.public_id])

    @pytest.fixture
    def viewer(self, client: Client, unit: StorageUnit) -> Client:
        client.force_login(MembershipFactory(customer=unit.facility.customer).user)
        return client

    def test_it_starts_with_the_limits_in_force(self, viewer: Client, url: str) -> None:
        form = viewer.get(url).context["form"]
        assert (form["high_warning_c"].value(), form["delay"].value()) == (7.0, "30 min")
        assert form["critical_delay"].value() == "5 min"

    def test_it_replays_a_critical_delay(self, viewer: Client, url: str) -> None:
        requested = {"high_warning_c": "7", "high_critical_c": "8.5", "critical_delay": "0"}
        (_, added), (_, prevented), (_, ((kept),)) = viewer.get(url, requested).context["parts"]
        assert (added, prevented) == ([], [])
        assert kept["after"].severity == "critical"

    def test_it_shows_what_would_have_been_added_and_prevented(self, viewer: Client, url: str) -> None:
        requested = {"low_critical_c": "0", "low_warning_c": "3", "high_warning_c": "7", "high_critical_c": "10"}
        page = viewer.get(url, requested | {"delay": "10 min"})
        assert [len(rows) for _, rows in page.context["parts"]] == [1, 0, 1]
        page = viewer.get(url, {"high_warning_c": "9", "delay": "30 min"})
        assert [len(rows) for _, rows in page.context["parts"]] == [0, 1, 0]

    def test_limits_out_of_order_show_an_error(self, viewer: Client, url: str) -> None:
        page = viewer.get(url, {"low_warning_c": "9", "high_warning_c": "7", "delay": "30 min"})
        assert "must increase" in page.content.decode()

    def test_another_customers_unit_is_not_found(self, client: Client, url: str) -> None:
        client.force_login(MembershipFactory().user)
        assert client.get(url).status_code == 404
