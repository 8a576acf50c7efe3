"""The source pages: what each role sees and can do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import Membership
from ingestion.models import Conflict, RejectedRow, Source
from readings.models import Reading
from tests.factories import (
    ConflictFactory,
    CustomerFactory,
    DeliveryFactory,
    MembershipFactory,
    RejectedRowFactory,
    SensorFactory,
    SourceFactory,
    StaffFactory,
    StorageUnitFactory,
    make_token,
    store_reading,
)
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

ROLES = list(Membership.Role)
ACTIONS = {"source-schedule": "poll", "source-rejected-rows": "dismiss", "source-conflicts": "dismiss"}


@pytest.fixture
def source() -> Source:
    later = timezone.now() + timedelta(hours=1)
    return SourceFactory(name="plant", customer__name="Cold Ltd", last_success_at=timezone.now(), next_due_at=later)


@pytest.fixture
def sign_in(client: Client, source: Source) -> Callable[..., Client]:
    """Signs in who has a role in the source's customer, and returns the client."""

    def sign_in_as(role: str) -> Client:
        membership = MembershipFactory(customer=source.customer, role=role)
        client.force_login(membership.user)
        return client

    return sign_in_as


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory(username="ann"))
    return client


@pytest.fixture
def rejected(source: Source) -> RejectedRow:
    StorageUnitFactory(facility__customer=source.customer, unit_code="freezer")
    raw = '{"unit_id": "freezer", "temperature": -18.5, "timestamp": "2026-11-23T10:11:11"}'
    return RejectedRowFactory(delivery__source=source, raw=raw)


@pytest.fixture
def conflict(source: Source) -> Conflict:
    recorded_at = datetime(2026, 11, 23, tzinfo=UTC)
    sensor = SensorFactory(storage_unit__facility__customer=source.customer)
    store_reading(sensor.storage_unit, 5.0, recorded_at, sensor=sensor)
    delivery = DeliveryFactory(source=source, records_conflicting=1)
    return ConflictFactory(sensor=sensor, recorded_at=recorded_at, delivery=delivery)


def page_of(source: Source, **query: object) -> str:
    return reverse("source", args=[source.public_id], query=query)


def act(client: Client, name: str, source: Source, **fields: object) -> PageResponse:
    return client.post(reverse(name, args=[source.public_id]), fields, follow=True)


def data(response: PageResponse) -> list[str]:
    return [str(message) for message in response.context["messages"]]


class TestSources:
    def test_anonymous_visitors_are_redirected_to_sign_in(self, client: Client, source: Source) -> None:
        for url in (reverse("sources"), page_of(source)):
            assert client.get(url)["Location"].startswith(reverse("login"))

    @pytest.mark.parametrize("role", ROLES)
    def test_members_see_only_their_customers_sources(
        self, sign_in: Callable[..., Client], source: Source, role: Membership.Role
    ) -> None:
        SourceFactory()
        response = sign_in(role).get(reverse("sources"))
        assert [row.source for row in response.context["sources"]] == [source]

    def test_the_worst_state_comes_first_with_waiting_rows(self, staff: Client, source: Source) -> None:
        RejectedRowFactory.create_batch(2, delivery__source=source)
        paused = SourceFactory(is_paused=True)
        failing = SourceFactory(failures_in_a_row=3)
        late = SourceFactory(last_success_at=timezone.now() - timedelta(hours=1))
        response = staff.get(reverse("sources"))
        listed = response.context["sources"]
        assert [row.source for row in listed] == [failing, late, source, paused]
        assert [row.source.rejected_waiting for row in listed] == [0, 0, 2, 0]
        counts = [(state.value, count) for state, count in response.context["counts"]]
        assert counts == [("Failing", 1), ("Late", 1), ("On time", 1), ("Paused", 1)]

    def test_customer_state_and_text_narrow_the_list(self, staff: Client, source: Source) -> None:
        other = SourceFactory(name="loggers", is_paused=True)
        for query, found in [
            ({"customer": source.customer.customer_code}, source),
            ({"state": "paused"}, other),
            ({"text": "LOGG"}, other),
            ({"text": "cold l"}, source),
        ]:
            assert [row.source for row in staff.get(reverse("sources"), query).context["sources"]] == [found]

    def test_an_empty_list_says_whether_it_is_filtered(self, staff: Client) -> None:
        assert "No sources yet." in staff.get(reverse("sources")).content.decode()
        customer = CustomerFactory()
        page = staff.get(reverse("sources"), {"customer": customer.customer_code}).content.decode()
        assert "No sources match these filters." in page

    def test_a_customer_out_of_scope_is_not_found(self, sign_in: Callable[..., Client]) -> None:
        client = sign_in("manager")
        assert client.get(reverse("sources"), {"customer": CustomerFactory().customer_code}).status_code == 404

    def test_the_number_of_queries_does_not_grow_with_sources(
        self, sign_in: Callable[..., Client], source: Source, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = sign_in("viewer")
        for each in SourceFactory.create_batch(10, customer=source.customer):
            RejectedRowFactory(delivery__source=each)
        # Session, user with roles, open alarms; the count and the page of sources, the counts by state, the customers.
        with django_assert_num_queries(7):
            assert len(client.get(reverse("sources")).context["sources"]) == 11


class TestFormerAddresses:
    def test_they_redirect_permanently_and_keep_the_query(self, client: Client, source: Source) -> None:
        response = client.get(f"/feeds/{source.public_id}?rejected=dismissed")
        assert response.status_code == 301
        assert response["Location"] == page_of(source, rejected="dismissed")
        assert client.get("/feeds")["Location"] == reverse("sources")


class TestSource:
    def test_a_source_page_has_state_deliveries_rejected_rows_and_conflicts(
        self, sign_in: Callable[..., Client], source: Source, rejected: RejectedRow, conflict: Conflict
    ) -> None:
        DeliveryFactory(source=source, status="failure", error_reason="timeout", error_message="No answer in 15 s.")
        text = unescape(sign_in("viewer").get(page_of(source)).content.decode())
        for shown in ("On time", "No answer in 15 s.", rejected.message, "freezer", "9.0\N{NO-BREAK SPACE}°C", "+4.0"):
            assert shown in text

    def test_secrets_in_the_url_are_redacted(self, sign_in: Callable[..., Client], source: Source) -> None:
        Source.objects.filter(pk=source.pk).update(url="https://me:hunter2@example.com/data?api_key=swordfish")
        text = sign_in("manager").get(page_of(source)).content.decode()
        assert "example.com" in text
        assert "hunter2" not in text
        assert "swordfish" not in text

    def test_a_row_of_markup_is_shown_as_text(self, sign_in: Callable[..., Client], source: Source) -> None:
        RejectedRowFactory(delivery__source=source, raw="<script>alert(1)</script>")
        assert b"<script>alert" not in sign_in("viewer").get(page_of(source)).content

    def test_decided_rows_can_be_listed(
        self, sign_in: Callable[..., Client], source: Source, rejected: RejectedRow
    ) -> None:
        RejectedRow.objects.update(state="dismissed", decided_by="ann", decided_at=timezone.now())
        client = sign_in("viewer")
        assert list(client.get(page_of(source)).context["rejected"].rows) == []
        response = client.get(page_of(source, rejected="dismissed"))
        assert list(response.context["rejected"].rows) == [rejected]
        assert "Dismissed by ann" in response.content.decode()

    def test_long_lists_are_paginated(
        self, sign_in: Callable[..., Client], source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ingestion.web.views.ROWS_PER_PAGE", 2)
        DeliveryFactory.create_batch(3, source=source)
        client = sign_in("viewer")
        first = client.get(page_of(source, rejected="dismissed")).context["deliveries"]
        assert first.next_link == "?rejected=dismissed&deliveries_page=2"
        assert len(client.get(page_of(source, deliveries_page="2")).context["deliveries"].rows) == 1

    def test_the_number_of_queries_does_not_grow_with_rows(
        self, sign_in: Callable[..., Client], source: Source, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = sign_in("operator")
        for _ in range(3):
            delivery = RejectedRowFactory(delivery__source=source).delivery
            ConflictFactory(delivery=delivery, sensor__storage_unit__facility__customer=source.customer)
        # Session, user with roles, source, open alarms; count and page of deliveries, rejected rows, conflicts.
        with django_assert_num_queries(10):
            client.get(page_of(source))


class TestWhoMayDoWhat:
    def test_a_foreign_source_is_not_found_and_nothing_changes(
        self, client: Client, source: Source, rejected: RejectedRow, conflict: Conflict
    ) -> None:
        client.force_login(MembershipFactory(role="manager").user)
        assert client.get(page_of(source)).status_code == 404
        for name, action in ACTIONS.items():
            assert act(client, name, source, action=action, all="1").status_code == 404
        assert_nothing_changed(source)

    def test_a_viewer_can_only_view(
        self, sign_in: Callable[..., Client], source: Source, rejected: RejectedRow, conflict: Conflict
    ) -> None:
        client = sign_in("viewer")
        assert "<button" not in client.get(page_of(source)).content.decode().split('id="source"')[1]
        for name, action in ACTIONS.items():
            assert act(client, name, source, action=action, all="1").status_code == 403
        assert_nothing_changed(source)

    @pytest.mark.parametrize(("permissions", "status"), [(["read", "write"], 403), (["read", "manage"], 200)])
    def test_a_token_with_write_can_decide(
        self, client: Client, source: Source, rejected: RejectedRow, permissions: list[str], status: int
    ) -> None:
        token, text = make_token(source.customer, permissions=permissions)
        client.post(reverse("login"), {"username": source.customer.customer_code, "password": text})
        response = act(client, "source-rejected-rows", source, action="dismiss", all="1")
        assert response.status_code == status
        rejected.refresh_from_db()
        assert rejected.decided_by == ("" if status == 403 else f"token {token.pk}")

    def test_an_operator_cannot_pause(self, sign_in: Callable[..., Client], source: Source) -> None:
        assert act(sign_in("operator"), "source-schedule", source, action="pause").status_code == 403
        assert_nothing_changed(source)

    @pytest.mark.parametrize("name", ACTIONS)
    def test_an_unknown_action_changes_nothing(
        self, sign_in: Callable[..., Client], source: Source, rejected: RejectedRow, conflict: Conflict, name: str
    ) -> None:
        assert act(sign_in("manager"), name, source, action="drop", all="1").status_code == 400
        assert_nothing_changed(source)

    @pytest.mark.parametrize("name", ACTIONS)
    def test_get_requests_change_nothing(self, sign_in: Callable[..., Client], source: Source, name: str) -> None:
        assert sign_in("manager").get(reverse(name, args=[source.public_id])).status_code == 405

    def test_rows_of_another_source_are_unaffected(
        self, sign_in: Callable[..., Client], source: Source, rejected: RejectedRow
    ) -> None:
        foreign = RejectedRowFactory()
        act(sign_in("operator"), "source-rejected-rows", source, action="dismiss", row=str(foreign.public_id))
        foreign.refresh_from_db()
        assert foreign.state == RejectedRow.State.WAITING


def assert_nothing_changed(source: Source) -> None:
    before = (source.is_paused, source.next_due_at)
    source.refresh_from_db()
    assert (source.is_paused, source.next_due_at) == before
    assert not RejectedRow.objects.exclude(state="waiting").exists()
    assert not Conflict.objects.exclude(state="waiting").exists()
    assert not Reading.objects.filter(temperature_c=9.0).exists()


class TestActions:
    def test_an_operator_can_poll_a_source_now(self, sign_in: Callable[..., Client], source: Source) -> None:
        response = act(sign_in("operator"), "source-schedule", source, action="poll")
        assert data(response) == ["Polling starts within seconds."]
        source.refresh_from_db()
        assert source.next_due_at <= timezone.now()

    def test_a_manager_can_pause_and_resume(self, sign_in: Callable[..., Client], source: Source) -> None:
        client = sign_in("manager")
        assert data(act(client, "source-schedule", source, action="pause")) == ["Source paused."]
        assert Source.objects.get().is_paused
        assert data(act(client, "source-schedule", source, action="poll")) == ["Resume the source to poll it."]
        assert data(act(client, "source-schedule", source, action="resume")) == ["Source resumed."]
        assert not Source.objects.get().is_paused

    def test_a_source_without_a_url_is_not_polled(self, sign_in: Callable[..., Client], source: Source) -> None:
        Source.objects.update(url="")
        response = act(sign_in("operator"), "source-schedule", source, action="poll")
        assert data(response) == ["The source has no URL to poll."]

    def test_a_replayed_row_is_stored(
        self, sign_in: Callable[..., Client], source: Source, rejected: RejectedRow
    ) -> None:
        client = sign_in("operator")
        response = act(client, "source-rejected-rows", source, action="replay", row=str(rejected.public_id))
        assert data(response) == ["Rows replayed: 1; rejected again: 0."]
        assert Reading.objects.get().temperature_c == -18.5
        rejected.refresh_from_db()
        assert rejected.state == RejectedRow.State.REPLAYED
        assert rejected.decided_by.startswith("person")

    def test_a_row_that_is_still_invalid_stays_waiting(self, sign_in: Callable[..., Client], source: Source) -> None:
        RejectedRowFactory(delivery__source=source)
        response = act(sign_in("operator"), "source-rejected-rows", source, action="replay", all="1")
        assert data(response) == ["Rows replayed: 0; rejected again: 1."]
        assert RejectedRow.objects.get().state == RejectedRow.State.WAITING

    def test_only_selected_rows_are_dismissed(
        self, sign_in: Callable[..., Client], source: Source, rejected: RejectedRow
    ) -> None:
        other = RejectedRowFactory(delivery__source=source)
        client = sign_in("operator")
        response = act(client, "source-rejected-rows", source, action="dismiss", row=[str(other.public_id), "no uuid"])
        assert data(response) == ["Rows dismissed: 1."]
        assert list(RejectedRow.objects.filter(state="waiting")) == [rejected]

    @pytest.mark.parametrize(("action", "temperature_c"), [("accept", 9.0), ("dismiss", 5.0)])
    def test_a_conflict_is_decided(
        self, sign_in: Callable[..., Client], source: Source, conflict: Conflict, action: str, temperature_c: float
    ) -> None:
        client = sign_in("operator")
        response = act(client, "source-conflicts", source, action=action, row=str(conflict.public_id))
        assert data(response) == [f"Conflicts {action}ed: 1."]
        assert Reading.objects.get().temperature_c == temperature_c

    def test_decisions_return_to_the_same_list_state(self, sign_in: Callable[..., Client], source: Source) -> None:
        url = reverse("source-schedule", args=[source.public_id])
        response = sign_in("operator").post(url, {"action": "poll", "back": "rejected=dismissed"})
        assert response["Location"] == page_of(source) + "?rejected=dismissed"
