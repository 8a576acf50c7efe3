"""The settings pages of limits, profiles and maintenance windows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alarms.models import LimitProfile, LimitVersion, MaintenanceWindow, UnitLimits
from customers.models import Customer, Facility, StorageUnit
from tests.alarm_factories import LimitProfileFactory, MaintenanceWindowFactory
from tests.factories import FacilityFactory, MembershipFactory, SensorFactory, StaffFactory, StorageUnitFactory
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
# The other fields of the form.
PLAIN = {
    "sensor_policy": "any", "high_delay_seconds": "30 min", "low_delay_seconds": "30 min",
    "high_critical_delay_seconds": "5 min", "low_critical_delay_seconds": "5 min", "clearing_margin_k": 0,
    "clearing_delay_seconds": 0, "allowed_window_seconds": "1 day", "mkt_window_seconds": "24 h",
}  # fmt: skip


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(name="Cold room", facility__time_zone="Asia/Kolkata")


@pytest.fixture
def customer(unit: StorageUnit) -> Customer:
    return unit.facility.customer


@pytest.fixture
def sign_in(client: Client, customer: Customer) -> Callable[..., Client]:
    def sign_in_as(role: str) -> Client:
        client.force_login(MembershipFactory(customer=customer, role=role, user__username=role).user)
        return client

    return sign_in_as


@pytest.fixture
def manager(sign_in: Callable[..., Client]) -> Client:
    return sign_in("manager")


def limits_url(unit: StorageUnit) -> str:
    return reverse("settings-unit-limits", args=[unit.facility.customer.public_id, unit.public_id])


def maintenance_url(customer: Customer) -> str:
    return reverse("settings-maintenance", args=[customer.public_id])


class TestLimitsOfAUnit:
    def test_a_manager_selects_a_profile_and_the_history_shows_it(self, manager: Client, unit: StorageUnit) -> None:
        medicine = LimitProfile.objects.get(name="refrigerated medicine")
        assert manager.post(limits_url(unit), PLAIN | {"profile": medicine.pk})["Location"] == limits_url(unit)
        (newest, limits), (first, _) = manager.get(limits_url(unit)).context["versions"]
        assert (newest.profile_name, newest.changed_by) == ("refrigerated medicine", "manager")
        assert dict(limits)["Limits"].startswith("2.0 to 8.0")
        assert (first.profile_name, first.changed_by) == ("around the set temperature", "")

    def test_custom_limits_replace_the_profile(self, manager: Client, unit: StorageUnit) -> None:
        manager.post(
            limits_url(unit), PLAIN | {"high_warning_c": 8, "high_critical_c": 9, "high_delay_seconds": "1 min"}
        )
        unit.refresh_from_db()
        assert (unit.low_warning_c, unit.high_warning_c, unit.high_critical_c) == (None, 8.0, 9.0)
        assert UnitLimits.objects.get().high_delay_seconds == 60

    def test_the_history_shows_both_delays(self, manager: Client, unit: StorageUnit) -> None:
        delays = {"high_critical_delay_seconds": "2 min", "low_critical_delay_seconds": "120 s"}
        manager.post(limits_url(unit), PLAIN | {"high_warning_c": 8, "high_critical_c": 9} | delays)
        (_, details), _ = manager.get(limits_url(unit)).context["versions"]
        assert dict(details)["Warning delay"] == "30 min"
        assert dict(details)["Critical delay"] == "2 min"

    def test_limits_out_of_order_are_rejected(self, manager: Client, unit: StorageUnit) -> None:
        response = manager.post(limits_url(unit), PLAIN | {"high_warning_c": 9, "high_critical_c": 8})
        assert "Limits must increase from low critical to high critical." in response.content.decode()
        assert not UnitLimits.objects.exists()

    def test_the_reference_sensor_must_belong_to_the_unit(self, manager: Client, unit: StorageUnit) -> None:
        foreign = StorageUnitFactory().sensors.create(sensor_code="S1")
        response = manager.post(limits_url(unit), PLAIN | {"sensor_policy": "named", "named_sensor": foreign.pk})
        assert response.status_code == 200
        assert not UnitLimits.objects.exists()

    def test_the_reference_sensor_must_not_be_retired(self, manager: Client, unit: StorageUnit) -> None:
        """By a sensor that does not count, nothing is outside the limits."""
        retired = SensorFactory(storage_unit=unit, retired_at=timezone.now() - HOUR)
        response = manager.post(limits_url(unit), PLAIN | {"sensor_policy": "named", "named_sensor": retired.pk})
        assert "This sensor is retired." in response.content.decode()
        assert not UnitLimits.objects.exists()

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    def test_other_roles_can_only_view(self, sign_in: Callable[..., Client], unit: StorageUnit, role: str) -> None:
        client = sign_in(role)
        page = client.get(limits_url(unit))
        assert b'method="post"' not in page.content.split(b"<main")[1]
        assert client.post(limits_url(unit), PLAIN).status_code == 403
        assert LimitVersion.objects.filter(storage_unit=unit).count() == 1

    def test_another_customers_unit_is_not_found(self, client: Client, unit: StorageUnit) -> None:
        client.force_login(MembershipFactory(role="manager").user)
        assert client.get(limits_url(unit)).status_code == 404
        assert client.post(limits_url(unit), PLAIN).status_code == 404

    def test_values_that_a_profile_would_override_are_rejected(self, manager: Client, unit: StorageUnit) -> None:
        medicine = LimitProfile.objects.get(name="refrigerated medicine")
        response = manager.post(limits_url(unit), PLAIN | {"profile": medicine.pk, "high_warning_c": 9})
        assert "The limits of the profile refrigerated medicine apply." in response.content.decode()
        assert not UnitLimits.objects.exists()

    def test_a_profile_needs_none_of_the_fields_that_browsers_disable(self, manager: Client, unit: StorageUnit) -> None:
        medicine = LimitProfile.objects.get(name="refrigerated medicine")
        assert manager.post(limits_url(unit), {"profile": medicine.pk, "sensor_policy": "any"}).status_code == 302
        assert UnitLimits.objects.get().profile == medicine

    def test_custom_limits_begin_with_the_values_of_the_profile(self, manager: Client, unit: StorageUnit) -> None:
        medicine = LimitProfile.objects.get(name="refrigerated medicine")
        manager.post(limits_url(unit), {"profile": medicine.pk, "sensor_policy": "any"})
        form = manager.get(limits_url(unit)).context["form"]
        assert (form["high_critical_c"].value(), form["mkt_limit_c"].value()) == (15.0, 8.0)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"warning_deviation_k": 2, "critical_deviation_k": 5}, "relative to the set temperature"),
            ({"is_around_set_temperature": "on", "high_warning_c": 8}, "Leave the four limits empty"),
            ({"allowed_window_seconds": "1 h"}, "only applies together with “Allowed time outside”"),
            ({"mkt_window_seconds": "1 h"}, "only applies together with “MKT limit, °C”"),
        ],
    )
    def test_values_that_do_not_apply_are_rejected(
        self, manager: Client, unit: StorageUnit, fields: dict[str, object], message: str
    ) -> None:
        assert message in manager.post(limits_url(unit), PLAIN | fields).content.decode()
        assert not UnitLimits.objects.exists()

    def test_delays_are_durations_with_their_unit(self, manager: Client, unit: StorageUnit) -> None:
        """A number alone could be meant as seconds or as minutes."""
        page = manager.post(limits_url(unit), PLAIN | {"high_delay_seconds": "900"}).content.decode()
        assert "Enter a duration with its unit" in page
        assert 'value="900"' in page
        page = manager.post(limits_url(unit), PLAIN | {"high_delay_seconds": "31 days"}).content.decode()
        assert "Enter at most 30 days." in page
        assert not UnitLimits.objects.exists()

    def test_the_form_shows_durations_of_the_unit_and_of_every_profile(
        self, manager: Client, unit: StorageUnit
    ) -> None:
        manager.post(limits_url(unit), PLAIN | {"high_delay_seconds": "1 h 30 min", "low_delay_seconds": "45 s"})
        context = manager.get(limits_url(unit)).context
        form = context["form"]
        assert [form[f"{side}_delay_seconds"].value() for side in ("high", "low")] == ["1 h 30 min", "45 s"]
        medicine = context["profile_values"][LimitProfile.objects.get(name="refrigerated medicine").pk]
        assert (medicine["high_delay_seconds"], medicine["mkt_window_seconds"]) == ("15 min", "1 day")
        assert (medicine["allowed_seconds"], medicine["high_warning_c"]) == (None, 8.0)

    def test_a_reference_sensor_without_its_rule_is_rejected(self, manager: Client, unit: StorageUnit) -> None:
        sensor = unit.sensors.create(sensor_code="S1")
        response = manager.post(limits_url(unit), PLAIN | {"named_sensor": sensor.pk})
        assert "only applies to the rule “one reference sensor”" in response.content.decode()
        assert not UnitLimits.objects.exists()


class TestProfiles:
    def test_staff_edit_a_profile_and_its_units_change(self, client: Client, unit: StorageUnit) -> None:
        profile = LimitProfileFactory(name="blood")
        UnitLimits.objects.create(storage_unit=unit, profile=profile)
        client.force_login(StaffFactory(username="ann"))
        url = reverse("settings-limit-profile", args=[profile.public_id])
        assert (
            client.post(url, PLAIN | {"name": "blood", "high_warning_c": 6, "high_critical_c": 10}).status_code == 302
        )
        unit.refresh_from_db()
        assert unit.high_warning_c == 6.0
        assert LimitVersion.objects.filter(storage_unit=unit).latest("valid_from").changed_by == "ann"

    def test_staff_add_a_profile(self, client: Client) -> None:
        client.force_login(StaffFactory())
        client.post(reverse("settings-new-limit-profile"), PLAIN | {"name": "plasma", "high_warning_c": -25})
        assert LimitProfile.objects.get(name="plasma").high_warning_c == -25.0

    def test_managers_can_view_but_not_edit_profiles(self, manager: Client) -> None:
        assert b"refrigerated medicine" in manager.get(reverse("settings-limit-profiles")).content
        assert manager.post(reverse("settings-new-limit-profile"), PLAIN | {"name": "x"}).status_code == 403
        profile = LimitProfile.objects.earliest("pk")
        assert manager.get(reverse("settings-limit-profile", args=[profile.public_id])).status_code == 403
        assert not LimitProfile.objects.filter(name="x").exists()


class TestMaintenance:
    def enter(self, client: Client, customer: Customer, **fields: object) -> PageResponse:
        times = {"starts_at": "2027-01-10T08:00", "ends_at": "2027-01-10T10:00", "reason": "Stocktaking"}
        return client.post(maintenance_url(customer), times | fields)

    def test_a_window_is_scheduled_in_local_time(self, manager: Client, customer: Customer, unit: StorageUnit) -> None:
        assert self.enter(manager, customer, storage_unit=unit.pk).status_code == 302
        window = MaintenanceWindow.objects.get()
        assert f"{window.starts_at.astimezone(unit.facility.zone):%H:%M}" == "08:00"
        assert (window.customer, window.storage_unit) == (customer, unit)
        assert window.created_by is not None
        assert window.created_by.get_username() == "manager"

    def test_a_time_that_occurs_twice_or_never_is_explained(
        self, manager: Client, customer: Customer, unit: StorageUnit
    ) -> None:
        Facility.objects.update(time_zone="Europe/Berlin")
        page = manager.get(maintenance_url(customer)).content.decode()
        assert "A time that occurs twice, when summer time ends, means the first; one that is skipped" in page

        twice = {"starts_at": "2027-10-31T02:30", "ends_at": "2027-10-31T04:00"}
        never = {"starts_at": "2027-03-28T02:30", "ends_at": "2027-03-28T04:00"}
        for times in (twice, never):
            self.enter(manager, customer, storage_unit=unit.pk, **times)
        starts = MaintenanceWindow.objects.order_by("-starts_at").values_list("starts_at", flat=True)
        assert [f"{start.astimezone(UTC):%H:%M}" for start in starts] == ["00:30", "01:30"]
        listed = manager.get(maintenance_url(customer)).content.decode()
        assert "28 Mar 2027, 03:30" in listed

    def test_the_empty_choices_say_what_they_mean(self, manager: Client, customer: Customer) -> None:
        page = manager.get(maintenance_url(customer)).content.decode()
        assert '<option value="" selected>Choose a facility</option>' in page
        assert '<option value="" selected>All units</option>' in page

    def test_a_window_of_the_whole_customer_is_in_utc(self, manager: Client, customer: Customer) -> None:
        self.enter(manager, customer, is_for_customer="on")
        assert f"{MaintenanceWindow.objects.get().starts_at:%H:%M %Z}" == "08:00 UTC"

    def test_the_whole_customer_is_only_silenced_explicitly(
        self, manager: Client, customer: Customer, unit: StorageUnit
    ) -> None:
        assert "Choose a facility or a storage unit" in self.enter(manager, customer).content.decode()
        both = self.enter(manager, customer, storage_unit=unit.pk, is_for_customer="on")
        assert "Choose either every facility" in both.content.decode()
        assert not MaintenanceWindow.objects.exists()

    def test_units_of_the_same_name_are_grouped_by_facility(self, manager: Client, customer: Customer) -> None:
        for name in ("North", "South"):
            StorageUnitFactory(name="Freezer 1", facility=FacilityFactory(customer=customer, name=name))
        choices = list(manager.get(maintenance_url(customer)).context["form"].fields["storage_unit"].choices)
        assert [(group, [label for _, label in units]) for group, units in choices if group in ("North", "South")] == [
            ("North", ["Freezer 1"]),
            ("South", ["Freezer 1"]),
        ]

    @pytest.mark.parametrize(
        "fields", [{"ends_at": "2027-01-10T07:00"}, {"reason": ""}, {"starts_at": "soon"}, {"facility": 0}]
    )
    def test_invalid_windows_are_rejected(self, manager: Client, customer: Customer, fields: dict[str, object]) -> None:
        assert self.enter(manager, customer, **fields).status_code == 200
        assert not MaintenanceWindow.objects.exists()

    @pytest.mark.parametrize("times", [{"starts_at": "0001-01-01T00:00"}, {"ends_at": "9999-12-31T23:59"}])
    def test_a_window_that_does_not_exist_in_every_zone_is_rejected(
        self, manager: Client, customer: Customer, times: dict[str, object]
    ) -> None:
        """A window for ever would end in the year 10000 in UTC: nobody could read it, or be notified any more."""
        for zone in ("America/New_York", "Asia/Kolkata", "UTC"):
            facility = FacilityFactory(customer=customer, time_zone=zone)
            response = self.enter(manager, customer, facility=facility.pk, **times)
            assert list(response.context["form"].errors.values()) == [["Enter a time between 2000 and 2100."]]
        assert not MaintenanceWindow.objects.exists()

    def test_other_customers_facilities_and_mismatched_units_are_rejected(
        self, manager: Client, customer: Customer, unit: StorageUnit
    ) -> None:
        other = FacilityFactory(customer=customer)
        self.enter(manager, customer, storage_unit=StorageUnitFactory().pk)
        self.enter(manager, customer, facility=FacilityFactory().pk)
        self.enter(manager, customer, facility=other.pk, storage_unit=unit.pk)
        assert not MaintenanceWindow.objects.exists()

    def test_a_running_window_ends_now_and_a_scheduled_one_is_cancelled(
        self, manager: Client, customer: Customer
    ) -> None:
        now = timezone.now()
        running = MaintenanceWindowFactory(customer=customer)
        coming = MaintenanceWindowFactory(customer=customer, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
        over = MaintenanceWindowFactory(customer=customer, starts_at=now - 2 * HOUR, ends_at=now - HOUR)
        for window in (running, coming, over):
            manager.post(reverse("settings-end-maintenance", args=[customer.public_id, window.public_id]))
        running.refresh_from_db()
        assert abs(running.ends_at - timezone.now()) < timedelta(minutes=1)
        assert set(MaintenanceWindow.objects.all()) == {running, over}
        over.refresh_from_db()
        assert over.ends_at == now - HOUR

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    def test_other_roles_can_only_view(self, sign_in: Callable[..., Client], customer: Customer, role: str) -> None:
        client, window = sign_in(role), MaintenanceWindowFactory(customer=customer)
        assert client.get(maintenance_url(customer)).status_code == 200
        assert self.enter(client, customer).status_code == 403
        url = reverse("settings-end-maintenance", args=[customer.public_id, window.public_id])
        assert client.post(url).status_code == 403
        assert MaintenanceWindow.objects.get().ends_at == window.ends_at

    def test_other_customers_windows_are_not_found(self, client: Client, customer: Customer) -> None:
        client.force_login(MembershipFactory(role="manager").user)
        window = MaintenanceWindowFactory(customer=customer)
        assert client.get(maintenance_url(customer)).status_code == 404
        assert self.enter(client, customer).status_code == 404
        url = reverse("settings-end-maintenance", args=[customer.public_id, window.public_id])
        assert client.post(url).status_code == 404
        own = MembershipFactory(role="manager")
        client.force_login(own.user)
        url = reverse("settings-end-maintenance", args=[own.customer.public_id, window.public_id])
        assert client.post(url).status_code == 404
