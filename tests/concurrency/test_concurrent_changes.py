"""What happens if two people change the same object, or one submits the same thing twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alarms.models import AlarmEvent, LimitProfile, LimitVersion, MaintenanceWindow, Message, UnitLimits
from customers.models import ApiToken, Customer, Facility, StorageUnit, Submission
from ingestion.models import FileImport, Source, SourceSetup
from tests.alarm_factories import AlarmFactory, ChannelFactory
from tests.api_clients import client_of, client_with
from tests.factories import (
    MembershipFactory,
    SourceFactory,
    StorageUnitFactory,
    make_token,
    store_reading,
)
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db
API = "/api/v1"
STALE = '"00000000000000000000"'


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(name="Cold room")


@pytest.fixture
def manager(unit: StorageUnit) -> Client:
    client = Client()
    client.force_login(MembershipFactory(customer=unit.facility.customer, role="manager").user)
    return client


def _facility(unit: StorageUnit) -> tuple[str, dict[str, Any]]:
    return f"{API}/facilities/{unit.facility.public_id}", {"name": "Depot"}


def _unit(unit: StorageUnit) -> tuple[str, dict[str, Any]]:
    return f"{API}/units/{unit.public_id}", {"set_temperature": 4.0}


def _limits(unit: StorageUnit) -> tuple[str, dict[str, Any]]:
    return f"{API}/units/{unit.public_id}/limits", {"sensor_policy": "mean"}


def _profile(unit: StorageUnit) -> tuple[str, dict[str, Any]]:
    return f"{API}/customers/profile", {"name": "Ice & Co"}


def _customer(unit: StorageUnit) -> tuple[str, dict[str, Any]]:
    return f"{API}/admin/customers/{unit.facility.customer.public_id}", {"name": "Ice & Co"}


def _source(unit: StorageUnit) -> tuple[str, dict[str, Any]]:
    source = SourceFactory(customer=unit.facility.customer)
    return f"{API}/sources/{source.public_id}", {"interval_seconds": 600}


class TestIfMatch:
    @pytest.mark.parametrize("of", [_facility, _unit, _limits, _profile, _customer, _source])
    def test_only_the_version_that_was_read_is_changed(
        self, unit: StorageUnit, of: Callable[[StorageUnit], tuple[str, dict[str, Any]]]
    ) -> None:
        client = client_of(unit.facility.customer, permissions=["admin"])
        url, change = of(unit)
        read = client.get(url)
        etag = read.headers["ETag"]

        changed = client.put(url, change, headers={"If-Match": etag})
        repeated = client.put(url, change | {"name": "Elsewhere"}, headers={"If-Match": etag})

        assert changed.status_code == 200, changed.content
        assert repeated.status_code == 412, repeated.content
        assert "changed meanwhile" in repeated.json()["detail"]
        now = client.get(url)
        assert now.headers["ETag"] == changed.headers["ETag"] == repeated.headers["ETag"] != etag
        assert {name: now.json()[name] for name in change} == change

    @pytest.mark.parametrize(
        ("condition", "status"),
        [("{}", 200), ("W/{}", 200), (f"{STALE}, {{}}", 200), ("*", 200), (STALE, 412), ("nonsense", 412), (None, 200)],
    )
    def test_conditions(self, unit: StorageUnit, condition: str | None, status: int) -> None:
        client = client_of(unit.facility.customer)
        url, change = _unit(unit)
        etag = client.get(url).headers["ETag"]
        headers = {} if condition is None else {"If-Match": condition.format(etag)}
        assert client.patch(url, change, headers=headers).status_code == status

    def test_a_reading_is_no_change_of_the_unit(self, unit: StorageUnit) -> None:
        client = client_of(unit.facility.customer)
        url, change = _unit(unit)
        etag = client.get(url).headers["ETag"]
        store_reading(unit)
        assert client.put(url, change, headers={"If-Match": etag}).status_code == 200


class TestForms:
    def opened(self, manager: Client, url: str) -> dict[str, Any]:
        """Return what a browser would send for the form as it was opened."""
        form = manager.get(url).context["form"]
        return {field.html_name: field.value() for field in form if field.value() not in (None, False)}

    def submit_after(
        self, manager: Client, url: str, change: Callable[[], object], entered: dict[str, Any]
    ) -> PageResponse:
        data = self.opened(manager, url) | entered
        change()
        response: PageResponse = manager.post(url, data)
        return response

    def test_what_others_changed_meanwhile_is_shown_before_it_is_replaced(
        self, manager: Client, unit: StorageUnit
    ) -> None:
        url = reverse("settings-unit", args=[unit.facility.customer.public_id, unit.public_id])
        rename = StorageUnit.objects.filter(pk=unit.pk).update

        refused = self.submit_after(manager, url, lambda: rename(name="Freezer"), {"name": "Chiller"})

        assert "now stored: Name: Freezer" in refused.content.decode()
        unit.refresh_from_db()
        assert unit.name == "Freezer"
        form = refused.context["form"]
        again = {field.html_name: field.value() for field in form if field.value() is not None}
        assert (again["name"], manager.post(url, again).status_code) == ("Chiller", 302)
        unit.refresh_from_db()
        assert unit.name == "Chiller"

    def test_a_field_that_nobody_else_changed_is_saved(self, manager: Client, unit: StorageUnit) -> None:
        url = reverse("settings-unit", args=[unit.facility.customer.public_id, unit.public_id])
        saved = self.submit_after(manager, url, lambda: store_reading(unit), {"name": "Chiller"})
        assert saved.status_code == 302

    @pytest.mark.parametrize("versions", ["[" * 100_000, "{", "[]", "1" * 10_000])
    def test_versions_that_cannot_be_read_are_those_of_a_form_without(
        self, manager: Client, unit: StorageUnit, versions: str
    ) -> None:
        url = reverse("settings-unit", args=[unit.facility.customer.public_id, unit.public_id])
        saved = self.submit_after(manager, url, lambda: None, {"name": "Chiller", "version": versions})
        assert saved.status_code == 302

    def test_limits_changed_meanwhile_are_shown(self, manager: Client, unit: StorageUnit) -> None:
        url = reverse("settings-unit-limits", args=[unit.facility.customer.public_id, unit.public_id])
        choose = lambda: UnitLimits.objects.create(storage_unit=unit, profile=None, high_warning_c=7.0)  # noqa: E731
        refused = self.submit_after(manager, url, choose, {"profile": "", "high_warning_c": "9"})
        [error] = refused.context["form"].non_field_errors()
        assert ": 7.0" in error
        assert UnitLimits.objects.get(pk=unit.pk).high_warning_c == 7.0

    def test_the_profile_of_a_customer_changed_meanwhile_is_shown(self, manager: Client, unit: StorageUnit) -> None:
        first, second, third = LimitProfile.objects.order_by("name")[:3]
        limits = unit.facility.customer.limits
        limits.profile = first
        limits.save()
        url = reverse("settings-customer-limits", args=[unit.facility.customer.public_id])

        def choose() -> None:
            limits.profile = second
            limits.save()

        refused = self.submit_after(manager, url, choose, {"profile": third.pk})
        assert f"Profile: {second.name}" in refused.content.decode()


def key_in(page: PageResponse) -> str:
    """Return the key of the form on a page."""
    return page.content.decode().split('name="submission" value="')[1].split('"')[0]


class TestDoubleSubmission:
    def submit_twice(self, manager: Client, url: str, data: dict[str, Any]) -> list[PageResponse]:
        key = key_in(manager.get(url))
        return [
            manager.post(url, data | {"submission": key}, headers={"Referer": f"http://testserver{url}"}) for _ in "12"
        ]

    def test_a_form_creates_one_token(self, manager: Client, unit: StorageUnit) -> None:
        url = reverse("settings-tokens", args=[unit.facility.customer.public_id])
        first, second = self.submit_twice(manager, url, {"token_name": "export", "permissions": ["read"]})
        assert (first.status_code, second.status_code, second.headers["Location"]) == (
            200,
            302,
            f"http://testserver{url}",
        )
        assert "submitted twice" in manager.get(url).content.decode()
        assert ApiToken.objects.count() == 1

    def test_a_form_creates_one_maintenance_window(self, manager: Client, unit: StorageUnit) -> None:
        url = reverse("settings-maintenance", args=[unit.facility.customer.public_id])
        window = {"facility": unit.facility.pk, "starts_at": "2026-12-01T10:00", "ends_at": "2026-12-01T12:00"}
        self.submit_twice(manager, url, window | {"reason": "defrosting"})
        assert MaintenanceWindow.objects.count() == 1

    def test_a_form_adds_one_comment_to_an_alarm(self, manager: Client, unit: StorageUnit) -> None:
        alarm = AlarmFactory(storage_unit=unit)
        key = key_in(manager.get(reverse("alarm", args=[alarm.public_id])))
        for _ in range(2):
            data = {"comment-text": "The door was open.", "submission": key}
            manager.post(reverse("alarm-comment", args=[alarm.public_id]), data)
        assert AlarmEvent.objects.filter(alarm=alarm, text="The door was open.").count() == 1

    def test_a_form_keeps_one_import(self, manager: Client, unit: StorageUnit) -> None:
        url = reverse("imports")
        key = key_in(manager.get(url))
        for _ in range(2):
            file = SimpleUploadedFile("a.csv", b"time,temperature\n2026-11-01 10:00,5\n", "text/csv")
            code = unit.facility.customer.customer_code
            manager.post(url, {"customer": code, "files": [file], "submission": key})
        assert FileImport.objects.count() == 1

    def test_a_setup_is_begun_once(self, manager: Client, unit: StorageUnit) -> None:
        self.submit_twice(manager, reverse("setup"), {"customer": unit.facility.customer.customer_code})
        assert SourceSetup.objects.count() == 1

    def test_a_test_message_is_sent_once(self, manager: Client, unit: StorageUnit) -> None:
        channel = ChannelFactory(customer=unit.facility.customer)
        key = key_in(manager.get(reverse("settings-notifications", args=[unit.facility.customer.public_id])))
        url = reverse("settings-change-channel", args=[unit.facility.customer.public_id, channel.public_id])
        for _ in range(2):
            manager.post(url, {"action": "test", "submission": key})
        assert Message.objects.filter(channel=channel).count() == 1

    def test_an_invalid_form_can_be_corrected(self, manager: Client, unit: StorageUnit) -> None:
        url = reverse("settings-tokens", args=[unit.facility.customer.public_id])
        key = key_in(manager.get(url))
        manager.post(url, {"submission": key, "token_name": ""})
        manager.post(url, {"submission": key, "token_name": "export", "permissions": ["read"]})
        assert ApiToken.objects.count() == 1

    @pytest.mark.parametrize(
        ("path", "body", "model"),
        [
            ("customers/tokens", {"token_name": "export", "permissions": ["read"]}, ApiToken),
            ("facilities", {"facility_code": "new"}, Facility),
            ("sources", {"name": "new"}, Source),
            ("admin/customers", {"customer_code": "new", "name": "New"}, Customer),
        ],
    )
    def test_a_request_with_the_same_idempotency_key_creates_one_object(
        self, unit: StorageUnit, path: str, body: dict[str, Any], model: type[Any]
    ) -> None:
        client = client_of(unit.facility.customer, permissions=["admin"])
        before = model.objects.count()
        statuses = [
            client.post(f"{API}/{path}", body, headers={"Idempotency-Key": key}).status_code for key in ("a", "a")
        ]
        assert (statuses, model.objects.count()) == ([201, 409], before + 1)

    def test_a_failed_request_can_be_repeated_with_its_key(self, unit: StorageUnit) -> None:
        client = client_of(unit.facility.customer)
        statuses = [
            client.post(f"{API}/facilities", {"facility_code": code}, headers={"Idempotency-Key": "a"}).status_code
            for code in (unit.facility.facility_code, "new")
        ]
        assert statuses == [400, 201]

    def test_a_key_may_be_used_again_after_a_day(self, unit: StorageUnit) -> None:
        """Senders that number their requests begin again some day: what they send then is not carried out already."""
        client = client_of(unit.facility.customer)

        def create(code: str) -> int:
            body, headers = {"facility_code": code}, {"Idempotency-Key": "a"}
            return client.post(f"{API}/facilities", body, headers=headers).status_code

        assert create("first") == 201
        Submission.objects.update(submitted_at=timezone.now() - timedelta(days=1, minutes=1))
        assert [create("second"), create("third")] == [201, 409]

    def test_keys_of_others_do_not_matter(self, unit: StorageUnit) -> None:
        clients = [client_of(unit.facility.customer), client_of(unit.facility.customer)]
        statuses = [
            client.post(f"{API}/facilities", {"facility_code": f"f{n}"}, headers={"Idempotency-Key": "a"}).status_code
            for n, client in enumerate(clients)
        ]
        assert statuses == [201, 201]


@pytest.mark.django_db(transaction=True)
def test_racing_changes_of_limits_are_applied_in_order_and_lose_nothing() -> None:
    unit = StorageUnitFactory()
    customer = unit.facility.customer
    url = f"{API}/units/{unit.public_id}/limits"
    changes = [{"high_delay_seconds": 600}, {"low_delay_seconds": 700}, {"clearing_margin_k": 0.7}]
    tokens = [make_token(customer) for _ in changes]
    client_of(customer).put(url, {"profile_id": None})
    start = Barrier(len(changes))

    def send(text: str, change: dict[str, Any]) -> int:
        client: APIClient = client_with(text)
        start.wait(timeout=30)
        try:
            return int(client.put(url, change).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(changes)) as pool:
        statuses = list(pool.map(send, [text for _, text in tokens], changes))

    assert statuses == [200, 200, 200]
    limits = UnitLimits.objects.get(pk=unit.pk)
    assert (limits.high_delay_seconds, limits.low_delay_seconds, limits.clearing_margin_k) == (600, 700, 0.7)
    newest = LimitVersion.objects.filter(storage_unit=unit).order_by("-valid_from")[:3]
    assert {version.changed_by for version in newest} == {f"token {token.pk}" for token, _ in tokens}
