"""The admin of ingestion."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customers.models import ApiToken
from ingestion.models import Conflict, Delivery, RejectedRow, Source
from readings.models import Reading
from tests.admin_pages import assert_queries_stay, listed_rows
from tests.factories import (
    ConflictFactory,
    CustomerFactory,
    DeliveryFactory,
    PushSourceFactory,
    RejectedRowFactory,
    SensorFactory,
    SourceFactory,
    StaffFactory,
    UserFactory,
    store_reading,
)
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

MODELS = ["source", "delivery", "rejectedrow", "conflict"]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory(username="ann"))
    return client


@pytest.fixture
def onlooker(client: Client) -> Client:
    """Someone of the staff who may look at everything of ingestion and change nothing."""
    person = UserFactory(is_staff=True)
    person.user_permissions.set(
        Permission.objects.filter(content_type__app_label="ingestion", codename__startswith="view_")
    )
    client.force_login(person)
    return client


def list_of(model: str) -> str:
    return reverse(f"admin:ingestion_{model}_changelist")


def act(client: Client, model: str, action: str, *rows: Source | RejectedRow | Conflict) -> list[str]:
    """Run an action on the rows; return what the admin says of it."""
    response = client.post(list_of(model), {"action": action, "_selected_action": [row.pk for row in rows]})
    return [str(message) for message in get_messages(response.wsgi_request)][-1:]


@pytest.mark.parametrize("model", MODELS)
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(staff: Client, model: str) -> None:
    def grow() -> None:
        delivery = RejectedRowFactory().delivery
        ConflictFactory(delivery=delivery)

    assert_queries_stay(staff, list_of(model), grow)


@pytest.mark.parametrize("factory", [SourceFactory, DeliveryFactory, RejectedRowFactory, ConflictFactory])
def test_every_row_has_a_page(staff: Client, factory: Callable[[], Model]) -> None:
    row = factory()
    url = reverse(f"admin:ingestion_{row._meta.model_name}_change", args=[row.pk])
    assert staff.get(url).status_code == 200


@pytest.mark.parametrize("factory", [DeliveryFactory, RejectedRowFactory, ConflictFactory])
def test_deliveries_are_read_only(
    staff: Client, factory: Callable[..., Delivery] | Callable[..., RejectedRow] | Callable[..., Conflict]
) -> None:
    row = factory()
    name = row._meta.model_name
    assert staff.get(reverse(f"admin:ingestion_{name}_add")).status_code == 403
    for page in ("change", "delete"):
        response = staff.post(reverse(f"admin:ingestion_{name}_{page}", args=[row.pk]), {"post": "yes"})
        assert response.status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


class TestSources:
    def test_the_state_is_displayed_and_can_be_filtered(self, staff: Client) -> None:
        SourceFactory(last_success_at=timezone.now())
        failing = SourceFactory(failures_in_a_row=2, last_error="Connection <refused>")
        response = staff.get(list_of("source"), {"state": "failing"})
        assert listed_rows(response) == [failing]
        assert 'badge-bad" title="Connection &lt;refused&gt;">Failing<' in response.content.decode()

    def test_waiting_rejected_rows_are_counted(self, staff: Client) -> None:
        source = SourceFactory()
        RejectedRowFactory.create_batch(2, delivery__source=source)
        RejectedRowFactory(delivery__source=source, state=RejectedRow.State.DISMISSED)
        [row] = listed_rows(staff.get(list_of("source")))
        assert row.rejected_waiting == 2

    def test_sources_are_polled_now_paused_and_resumed(self, staff: Client) -> None:
        later = timezone.now() + timedelta(hours=1)
        one, other = SourceFactory(next_due_at=later), SourceFactory(next_due_at=later)
        assert act(staff, "source", "poll_now", one) == ["Sources due for polling: 1."]
        assert Source.objects.get(pk=one.pk).next_due_at <= timezone.now()
        assert Source.objects.get(pk=other.pk).next_due_at == later
        assert act(staff, "source", "pause", one, other) == ["Sources paused: 2."]
        assert Source.objects.filter(is_paused=True).count() == 2
        assert act(staff, "source", "resume", one) == ["Sources resumed: 1."]
        assert list(Source.objects.filter(is_paused=True)) == [other]

    def test_users_with_view_permission_cannot_pause(self, onlooker: Client) -> None:
        source = SourceFactory()
        act(onlooker, "source", "pause", source)
        source.refresh_from_db()
        assert not source.is_paused

    def test_a_token_for_pushes_is_created_and_shown_once(self, staff: Client) -> None:
        source = PushSourceFactory()
        data = {"action": "create_push_token", "_selected_action": source.pk}
        response = staff.post("/admin/ingestion/source/", data, follow=True)
        token = ApiToken.objects.get()
        assert token.prefix in response.content.decode()
        assert (token.customer, token.source_public_id) == (source.customer, source.public_id)

    def test_the_secret_is_never_displayed_and_kept_by_an_empty_input(self, staff: Client) -> None:
        source = SourceFactory(credentials_kind="bearer", credentials_secret="open-sesame")
        url = reverse("admin:ingestion_source_change", args=[source.pk])
        page = staff.get(url)
        assert "open-sesame" not in page.content.decode()
        assert source.credentials_secret.token not in page.content.decode()
        saved = staff.post(url, self.typed(page, name="renamed"))
        assert saved.status_code == 302
        source = Source.objects.get()
        assert (source.name, source.credentials_secret.reveal()) == ("renamed", "open-sesame")

    def test_a_submitted_secret_replaces_the_old_one(self, staff: Client) -> None:
        source = SourceFactory(credentials_kind="bearer", credentials_secret="open-sesame")
        url = reverse("admin:ingestion_source_change", args=[source.pk])
        staff.post(url, self.typed(staff.get(url), credentials_secret="abracadabra"))
        assert Source.objects.get().credentials_secret.reveal() == "abracadabra"

    def test_a_change_of_a_failing_source_is_applied_at_once(self, staff: Client) -> None:
        source = SourceFactory(failures_in_a_row=9, next_due_at=timezone.now() + timedelta(hours=1))
        url = reverse("admin:ingestion_source_change", args=[source.pk])
        staff.post(url, self.typed(staff.get(url), unit_field="room"))
        assert Source.objects.get().next_due_at <= timezone.now()

    def test_a_source_is_paused_and_resumed_by_its_form_as_by_the_actions(self, staff: Client) -> None:
        """A resumed source that is not due at once would be down by its last success, before it could be polled."""
        later = timezone.now() + timedelta(hours=1)
        source = SourceFactory(next_due_at=later, polls_begun=9, claim_id=uuid4(), lease_until=later)
        url = reverse("admin:ingestion_source_change", args=[source.pk])

        staff.post(url, self.typed(staff.get(url), is_paused="on"))
        source.refresh_from_db()
        assert (source.is_paused, source.claim_id) == (True, None)

        staff.post(url, self.typed(staff.get(url)) | {"is_paused": ""})
        source.refresh_from_db()
        assert (source.is_paused, source.polls_begun, source.next_due_at < later) == (False, 0, True)

    def test_a_source_stays_its_customers(self, staff: Client) -> None:
        """Else the other customer would see its deliveries, and could decide about its rows and conflicts."""
        source, other = SourceFactory(), CustomerFactory()
        url = reverse("admin:ingestion_source_change", args=[source.pk])
        staff.post(url, self.typed(staff.get(url), customer=other.pk, name="renamed"))
        assert Source.objects.values_list("customer", "name").get() == (source.customer_id, "renamed")

    def test_a_name_that_another_source_of_the_customer_has_is_refused(self, staff: Client) -> None:
        source = SourceFactory()
        url = reverse("admin:ingestion_source_change", args=[source.pk])
        response = staff.post(url, self.typed(staff.get(url), name=SourceFactory(customer=source.customer).name))
        assert "already has a source with this name" in response.content.decode()

    def test_invalid_credentials_are_rejected(self, staff: Client) -> None:
        url = reverse("admin:ingestion_source_change", args=[SourceFactory().pk])
        response = staff.post(url, self.typed(staff.get(url), credentials_kind="header", credentials_name="Host"))
        assert "cannot carry credentials" in response.content.decode()
        assert Source.objects.get().credentials_kind == "none"

    def test_a_contradictory_mapping_is_rejected_at_its_field(self, staff: Client) -> None:
        url = reverse("admin:ingestion_source_change", args=[SourceFactory().pk])
        response = staff.post(url, self.typed(staff.get(url), delimiter=",", decimal_mark=","))
        assert "decimal_mark" in response.context["adminform"].form.errors

    def test_saving_does_not_overwrite_what_a_poll_has_written(self, staff: Client) -> None:
        source = SourceFactory()
        url = reverse("admin:ingestion_source_change", args=[source.pk])
        form = self.typed(staff.get(url), interval_seconds=60)
        moved = datetime(2026, 11, 23, tzinfo=UTC)
        original = Source.save

        def save_after_a_poll(self: Source, *args: Any, **kwargs: Any) -> None:
            Source.objects.filter(pk=self.pk).update(cursor_at=moved, name="by someone else")
            original(self, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Source, "save", save_after_a_poll)
            staff.post(url, form)
        saved = Source.objects.get()
        assert (saved.interval_seconds, saved.cursor_at, saved.name) == (60, moved, "by someone else")

    def test_a_source_is_added_with_the_defaults(self, staff: Client) -> None:
        customer = CustomerFactory()
        page = staff.get(reverse("admin:ingestion_source_add"))
        fields = self.typed(page, customer=customer.pk, name="api", url="https://example.com/readings")
        assert staff.post(reverse("admin:ingestion_source_add"), fields).status_code == 302
        assert Source.objects.get().mapping.is_default

    @staticmethod
    def typed(page: PageResponse, **changes: object) -> dict[str, object]:
        """Return the form of a page as a browser would send it, with some fields changed."""
        form = page.context["adminform"].form
        shown = {name: form[name].value() for name in form.fields if name != "credentials_secret"}
        kept = {name: value for name, value in shown.items() if value is not None and value is not False}
        return kept | changes


class TestDeliveries:
    def test_a_delivery_is_listed_with_status_counts_and_duration(self, staff: Client) -> None:
        delivery = RejectedRowFactory(delivery__error_reason="cut_off").delivery
        assert delivery is not None
        page = staff.get(list_of("delivery")).content.decode()
        assert ">Partial: Incomplete row<" in page
        assert "0.50 s" in page
        assert f"/admin/ingestion/rejectedrow/?delivery__id__exact={delivery.pk}&amp;state=all" in page

    def test_the_count_links_to_the_deliverys_rejected_rows(self, staff: Client) -> None:
        mine, _ = RejectedRowFactory(state=RejectedRow.State.REPLAYED), RejectedRowFactory()
        response = staff.get(list_of("rejectedrow"), {"delivery__id__exact": f"{mine.delivery_id}", "state": "all"})
        assert listed_rows(response) == [mine]

    def test_a_customers_deliveries_are_found_by_its_code(self, staff: Client) -> None:
        delivery, _ = DeliveryFactory(source__customer__customer_code="ZZ9"), DeliveryFactory()
        assert listed_rows(staff.get(list_of("delivery"), {"q": "zz9"})) == [delivery]

    def test_deliveries_can_be_filtered_by_time(self, staff: Client) -> None:
        DeliveryFactory(started_at=timezone.now() - timedelta(hours=2))
        recent = DeliveryFactory()
        assert listed_rows(staff.get(list_of("delivery"), {"started": "hour"})) == [recent]

    def test_counting_stops_at_the_bound(self, staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("core.web.pages.BoundedPaginator.LIMIT", 3)
        DeliveryFactory.create_batch(5)
        assert staff.get(list_of("delivery")).context["cl"].result_count == 3

    def test_deliveries_outlive_their_source(self, staff: Client) -> None:
        delivery = DeliveryFactory()
        Delivery.objects.update(source=None)
        assert staff.get(list_of("delivery")).status_code == 200
        assert staff.get(reverse("admin:ingestion_delivery_change", args=[delivery.pk])).status_code == 200


class TestRejectedRows:
    def test_waiting_rows_are_listed_first(self, staff: Client) -> None:
        waiting, _ = RejectedRowFactory(), RejectedRowFactory(state=RejectedRow.State.DISMISSED)
        assert listed_rows(staff.get(list_of("rejectedrow"))) == [waiting]
        assert len(listed_rows(staff.get(list_of("rejectedrow"), {"state": "all"}))) == 2

    def test_a_row_of_markup_is_shown_as_text(self, staff: Client) -> None:
        row = RejectedRowFactory(raw="<script>alert(1)</script>")
        for url in (list_of("rejectedrow"), reverse("admin:ingestion_rejectedrow_change", args=[row.pk])):
            assert "<script>alert" not in staff.get(url).content.decode()

    def test_dismissed_rows_record_the_person(self, staff: Client) -> None:
        row, other = RejectedRowFactory(), RejectedRowFactory()
        assert act(staff, "rejectedrow", "dismiss", row) == ["Rows dismissed: 1."]
        row.refresh_from_db()
        other.refresh_from_db()
        assert (row.state, row.decided_by) == (RejectedRow.State.DISMISSED, "ann")
        assert other.state == RejectedRow.State.WAITING

    def test_a_row_is_replayed_once_its_cause_is_fixed(self, staff: Client) -> None:
        row = RejectedRowFactory(
            raw='{"temperature": 4.5, "timestamp": "2026-11-23T10:11:11", "facility_id": "f", "sensor_id": "s"}'
        )
        assert act(staff, "rejectedrow", "replay", row) == ["Rows replayed: 0; rejected again: 1."]
        Source.objects.update(unit_field="=cold1")
        assert act(staff, "rejectedrow", "replay", row) == ["Rows replayed: 1; rejected again: 0."]
        assert Reading.objects.get().temperature_c == 4.5

    @pytest.mark.parametrize("action", ["replay", "dismiss"])
    def test_users_with_view_permission_cannot_decide(self, onlooker: Client, action: str) -> None:
        row = RejectedRowFactory()
        act(onlooker, "rejectedrow", action, row)
        row.refresh_from_db()
        assert row.state == RejectedRow.State.WAITING


class TestConflicts:
    @pytest.fixture
    def conflict(self) -> Conflict:
        sensor = SensorFactory()
        recorded_at = datetime(2026, 11, 23, tzinfo=UTC)
        store_reading(sensor.storage_unit, 5.0, recorded_at, sensor=sensor)
        return ConflictFactory(sensor=sensor, recorded_at=recorded_at, temperature_c=9.0)

    def test_stored_and_sent_temperatures_are_listed_together(self, staff: Client, conflict: Conflict) -> None:
        page = staff.get(list_of("conflict")).content.decode()
        for text in ("5.0\N{NO-BREAK SPACE}°C", "9.0\N{NO-BREAK SPACE}°C", "+4.0\N{NO-BREAK SPACE}K"):
            assert text in page

    def test_an_accepted_conflict_replaces_the_reading(self, staff: Client, conflict: Conflict) -> None:
        assert act(staff, "conflict", "accept", conflict) == ["Conflicts accepted: 1."]
        conflict.refresh_from_db()
        assert (conflict.state, conflict.decided_by) == (Conflict.State.ACCEPTED, "ann")
        assert Reading.objects.get().temperature_c == 9.0

    def test_a_dismissed_conflict_keeps_the_reading(self, staff: Client, conflict: Conflict) -> None:
        assert act(staff, "conflict", "dismiss", conflict) == ["Conflicts dismissed: 1."]
        assert Reading.objects.get().temperature_c == 5.0
        assert listed_rows(staff.get(list_of("conflict"))) == []

    @pytest.mark.parametrize("action", ["accept", "dismiss"])
    def test_users_with_view_permission_cannot_decide(self, onlooker: Client, conflict: Conflict, action: str) -> None:
        act(onlooker, "conflict", action, conflict)
        conflict.refresh_from_db()
        assert conflict.state == Conflict.State.WAITING
        assert Reading.objects.get().temperature_c == 5.0
