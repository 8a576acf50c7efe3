"""The alarm pages for every role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alarms.models import Alarm
from customers.models import StorageUnit
from tests.alarm_factories import AlarmFactory, ClosedAlarmFactory, ExcursionFactory, NoDataAlarmFactory
from tests.factories import FacilityFactory, MembershipFactory, StaffFactory, StorageUnitFactory, make_token
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(name="Cold room", facility__name="Oxford", facility__time_zone="Asia/Kolkata")


@pytest.fixture
def sign_in(client: Client, unit: StorageUnit) -> Callable[..., Client]:
    """Return a function that signs in with a role in the unit's customer."""

    def sign_in_as(role: str) -> Client:
        client.force_login(MembershipFactory(customer=unit.facility.customer, role=role, user__username=role).user)
        return client

    return sign_in_as


@pytest.fixture
def operator(sign_in: Callable[..., Client]) -> Client:
    return sign_in("operator")


def url_of(alarm: Alarm, name: str = "alarm") -> str:
    return reverse(name, args=[alarm.public_id])


def listed(response: PageResponse) -> list[Alarm]:
    return [row.alarm for row in response.context["rows"]]


class TestList:
    def test_unacknowledged_alarms_come_first_and_closed_ones_last(self, operator: Client, unit: StorageUnit) -> None:
        others = StorageUnitFactory.create_batch(2, facility=unit.facility)
        taken = AlarmFactory(storage_unit=unit, state="acknowledged", acknowledged_at=timezone.now())
        silent = NoDataAlarmFactory(storage_unit=others[0])
        warm = AlarmFactory(storage_unit=others[1])
        closed = ClosedAlarmFactory(storage_unit=unit, started_at=timezone.now() - 3 * HOUR)
        AlarmFactory(storage_unit=unit, state="pending", opened_at=None, started_at=timezone.now())
        response = operator.get(reverse("alarms"))
        assert listed(response) == [warm, silent, taken]
        assert [row.alarm for row in response.context["recently_closed"]] == [closed]

    def test_inhibited_alarms_are_not_listed(self, operator: Client, unit: StorageUnit) -> None:
        down = NoDataAlarmFactory(storage_unit=unit)
        NoDataAlarmFactory(storage_unit=StorageUnitFactory(facility=unit.facility), suppressed_by=down)
        assert listed(operator.get(reverse("alarms"))) == [down]

    def test_it_is_filtered_by_state_kind_severity_facility_and_text(self, operator: Client, unit: StorageUnit) -> None:
        other = StorageUnitFactory(name="Freezer", facility=FacilityFactory(customer=unit.facility.customer))
        warm, silent = AlarmFactory(storage_unit=unit), NoDataAlarmFactory(storage_unit=other)
        closed = ClosedAlarmFactory(storage_unit=other)
        by_query: list[tuple[dict[str, str], list[Alarm]]] = [
            ({"state": "closed"}, [closed]),
            ({"state": "acknowledged"}, []),
            ({"kind": "no_data"}, [silent]),
            ({"severity": "critical"}, [warm]),
            ({"facility": str(other.facility.public_id)}, [silent]),
            ({"text": " freez"}, [silent]),
            ({"state": "red", "kind": "blue"}, [warm, silent]),
        ]
        for query, found in by_query:
            assert listed(operator.get(reverse("alarms"), query)) == found, query
        assert set(listed(operator.get(reverse("alarms"), {"state": "all"}))) == {warm, silent, closed}

    def test_each_customer_sees_its_own_and_staff_all(
        self, client: Client, operator: Client, unit: StorageUnit
    ) -> None:
        own, foreign = AlarmFactory(storage_unit=unit), AlarmFactory()
        assert listed(operator.get(reverse("alarms"))) == [own]
        client.force_login(StaffFactory())
        assert set(listed(client.get(reverse("alarms")))) == {own, foreign}
        code = foreign.customer.customer_code
        assert listed(client.get(reverse("alarms"), {"customer": code})) == [foreign]

    def test_a_foreign_customer_is_not_found(self, operator: Client) -> None:
        assert operator.get(reverse("alarms"), {"customer": AlarmFactory().customer.customer_code}).status_code == 404

    @pytest.mark.parametrize("target", ["alarms", "alarm-list"])
    def test_htmx_gets_only_the_requested_part(self, operator: Client, target: str) -> None:
        text = operator.get(reverse("alarms"), headers={"HX-Target": target}).content.decode()
        assert text.startswith(f'<div id="{target}"')

    def test_the_number_of_queries_does_not_grow(
        self, operator: Client, unit: StorageUnit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for each in StorageUnitFactory.create_batch(10, facility=unit.facility):
            AlarmFactory(storage_unit=each)
            ClosedAlarmFactory(storage_unit=each)
        # Session, user with roles, customers, facilities; the count and the page of active alarms, pending and
        # closed ones, and the count in the navigation.
        with django_assert_num_queries(9):
            assert len(listed(operator.get(reverse("alarms")))) == 10


class TestOnOtherPages:
    def test_every_page_counts_unacknowledged_alarms(self, operator: Client, unit: StorageUnit) -> None:
        assert b'id="alarm-count"' in operator.get(reverse("facilities")).content
        assert operator.get(reverse("alarm-count")).context["open_alarms"] == 0
        AlarmFactory(storage_unit=unit)
        ClosedAlarmFactory(storage_unit=unit)
        AlarmFactory()
        assert operator.get(reverse("alarm-count")).context["open_alarms"] == 1

    def test_tiles_of_units_in_alarm_are_marked(self, operator: Client, unit: StorageUnit) -> None:
        assert "tile-mark" not in operator.get("/").content.decode()
        alarm = AlarmFactory(storage_unit=unit)
        assert "◆ alarm" in operator.get("/").content.decode()
        Alarm.objects.filter(pk=alarm.pk).update(state="acknowledged", acknowledged_at=timezone.now())
        assert "◆ acknowledged" in operator.get("/").content.decode()
        Alarm.objects.filter(pk=alarm.pk).update(state="closed")
        assert "tile-mark" not in operator.get("/").content.decode()

    def test_the_pages_of_its_unit_and_its_facility_link_to_it(self, operator: Client, unit: StorageUnit) -> None:
        live, closed = AlarmFactory(storage_unit=unit), ClosedAlarmFactory(storage_unit=unit)
        facility = operator.get(reverse("facility", args=[unit.facility.public_id])).content.decode()
        assert url_of(live) in facility
        assert url_of(closed) not in facility
        page = operator.get(reverse("unit", args=[unit.public_id])).content.decode()
        assert url_of(live) in page
        assert url_of(closed) in page


class TestOne:
    def test_it_shows_kind_location_start_and_limits(self, operator: Client, unit: StorageUnit) -> None:
        alarm = AlarmFactory(storage_unit=unit, is_detected_late=True)
        response = operator.get(url_of(alarm))
        text = response.content.decode()
        assert "Temperature, critical: Cold room" in text
        local = alarm.started_at.astimezone(unit.facility.zone)
        assert f"{local:%H:%M:%S}" in text
        assert "Detected late" in text
        limits, excursion = dict(response.context["limits"]), dict(response.context["excursion"])
        assert limits["Limits"] == "3.0 to 7.0\N{NO-BREAK SPACE}°C, critical beyond 0.0 to 10.0\N{NO-BREAK SPACE}°C"
        assert (limits["Warning delay"], limits["Critical delay"]) == ("30 min", "5 min")
        assert (excursion["Area"], excursion["No data for"]) == ("600.0 K·min", "10 min")

    def test_limits_are_those_of_the_evaluation_even_if_changed_since(
        self, operator: Client, unit: StorageUnit
    ) -> None:
        alarm = AlarmFactory(storage_unit=unit)
        unit.set_temperature = 15.0
        unit.save()
        assert dict(operator.get(url_of(alarm)).context["limits"])["Limits"].startswith("3.0 to 7.0")

    def test_the_summary_names_the_zone_of_its_times(self, operator: Client, unit: StorageUnit) -> None:
        alarm = AlarmFactory(storage_unit=unit, started_at=datetime(2026, 3, 1, 20, 0, tzinfo=UTC))
        summary = operator.get(url_of(alarm)).content.decode().split('aria-labelledby="timeline"')[0]
        assert "2 Mar 2026, 01:30:00" in summary
        assert "Times in Asia/Kolkata." in summary

    def test_an_alarm_without_an_excursion_shows_the_limits_of_its_time(
        self, operator: Client, unit: StorageUnit
    ) -> None:
        silent = NoDataAlarmFactory(storage_unit=unit)
        assert dict(operator.get(url_of(silent)).context["limits"])["Source"] == "around the set temperature"

    def test_a_source_that_is_down_lists_inhibited_alarms(self, operator: Client, unit: StorageUnit) -> None:
        down = NoDataAlarmFactory(
            storage_unit=None,
            customer=unit.facility.customer,
            kind="source_down",
            source_key="7e8d1a34-9a6e-4f6e-8a43-5c6f2f0d2a11",
            source_name="Oxford API",
        )
        silent = NoDataAlarmFactory(storage_unit=unit, suppressed_by=down)
        response = operator.get(url_of(down))
        assert [row.alarm for row in response.context["inhibited"]] == [silent]
        assert "Oxford API" in response.content.decode()
        assert "Inhibited by" in operator.get(url_of(silent)).content.decode()

    def test_another_customers_alarm_is_not_found(self, operator: Client) -> None:
        assert operator.get(url_of(AlarmFactory())).status_code == 404

    def test_anonymous_visitors_are_asked_to_sign_in(self, client: Client, unit: StorageUnit) -> None:
        alarm = AlarmFactory(storage_unit=unit)
        for url in (reverse("alarms"), reverse("alarm-count"), url_of(alarm)):
            assert client.get(url)["Location"].startswith(reverse("login"))

    def test_names_are_escaped(self, operator: Client, unit: StorageUnit) -> None:
        unit.name = "<script>alert(1)</script>"
        unit.save()
        assert b"<script>alert" not in operator.get(url_of(AlarmFactory(storage_unit=unit))).content

    def test_the_number_of_queries_is_fixed(
        self, operator: Client, unit: StorageUnit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        alarm = AlarmFactory(storage_unit=unit)
        # Session, user with roles, the alarm, its silence, events, signatures and inhibited alarms, the count above,
        # and whether the person has a passkey to sign with.
        with django_assert_num_queries(9):
            operator.get(url_of(alarm))


class TestPending:
    def pending(self, unit: StorageUnit, minutes: int, **excursion: object) -> Alarm:
        started_at = timezone.now() - timedelta(minutes=minutes, seconds=-30)
        found = ExcursionFactory(
            storage_unit=unit, started_at=started_at, severity="warning", peak_c=8.0, alarm_at=None, **excursion
        )
        return AlarmFactory(
            storage_unit=unit,
            excursion=found,
            state="pending",
            opened_at=None,
            started_at=started_at,
            severity="warning",
        )

    def test_pending_alarms_say_when_they_open(self, operator: Client, unit: StorageUnit) -> None:
        alarm = self.pending(unit, minutes=8)
        response = operator.get(reverse("alarms"))
        assert [row.alarm for row in response.context["pending"]] == [alarm]
        assert "Opens in 22 min" in response.content.decode()
        assert "Opens in 22 min" in operator.get(url_of(alarm)).content.decode()

    def test_beyond_a_critical_limit_the_shorter_delay_counts_from_the_crossing(
        self, operator: Client, unit: StorageUnit
    ) -> None:
        crossed_at = timezone.now() - timedelta(minutes=2, seconds=-30)
        self.pending(unit, minutes=8, progress={"critical_since": crossed_at.isoformat()})
        assert "Opens in 3 min" in operator.get(reverse("alarms")).content.decode()

    def test_an_alarm_whose_delay_is_over_opens_with_the_next_reading(
        self, operator: Client, unit: StorageUnit
    ) -> None:
        self.pending(unit, minutes=40)
        assert "Opens with the next reading outside" in operator.get(reverse("alarms")).content.decode()

    def test_listing_pending_alarms_takes_a_fixed_number_of_queries(
        self, operator: Client, unit: StorageUnit, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(5):
            self.pending(StorageUnitFactory(facility=unit.facility), minutes=8)
        with django_assert_max_num_queries(11):
            operator.get(reverse("alarms"))


class TestDrills:
    @pytest.fixture
    def drill(self, unit: StorageUnit) -> Alarm:
        return AlarmFactory(storage_unit=StorageUnitFactory(facility=unit.facility, is_synthetic=True))

    def test_a_drill_is_marked_and_not_counted(self, operator: Client, drill: Alarm) -> None:
        for url in (reverse("alarms"), url_of(drill)):
            assert '<span class="state state-drill">Drill</span>' in operator.get(url).content.decode()
        assert operator.get(reverse("alarm-count")).context["open_alarms"] == 0

    def test_drills_are_hidden_or_listed_alone_on_request(
        self, operator: Client, unit: StorageUnit, drill: Alarm
    ) -> None:
        real = AlarmFactory(storage_unit=unit)
        assert listed(operator.get(reverse("alarms"), {"drills": "hidden"})) == [real]
        assert listed(operator.get(reverse("alarms"), {"drills": "only"})) == [drill]
        assert set(listed(operator.get(reverse("alarms")))) == {real, drill}

    def test_alarms_of_sources_are_no_drills(self, operator: Client, unit: StorageUnit) -> None:
        down = AlarmFactory(
            customer=unit.facility.customer, storage_unit=None, excursion=None, kind="source_down", source_key=uuid4()
        )
        assert listed(operator.get(reverse("alarms"), {"drills": "hidden"})) == [down]


class TestActions:
    def test_an_operator_acknowledges_comments_and_closes(self, operator: Client, unit: StorageUnit) -> None:
        alarm = AlarmFactory(storage_unit=unit, ended_at=timezone.now())
        for name, data in [
            ("acknowledge", {"acknowledge-comment": "On my way."}),
            ("comment", {"comment-text": "The fan."}),
            ("close", {"close-cause": "The fan.", "close-corrective_action": "A new fan."}),
        ]:
            assert operator.post(url_of(alarm, f"alarm-{name}"), data)["Location"] == f"{url_of(alarm)}#messages"
        alarm.refresh_from_db()
        assert (alarm.state, alarm.acknowledged_by, alarm.closed_by) == ("closed", "operator", "operator")
        kinds = [event.kind for event in operator.get(url_of(alarm)).context["events"]]
        assert kinds == ["opened", "acknowledged", "commented", "closed", "reviewed"]

    def test_without_a_comment_the_form_shows_an_error(self, operator: Client, unit: StorageUnit) -> None:
        alarm = AlarmFactory(storage_unit=unit)
        response = operator.post(url_of(alarm, "alarm-acknowledge"), {"acknowledge-comment": " "})
        assert "This field is required." in response.content.decode()
        alarm.refresh_from_db()
        assert alarm.state == "open"

    def test_a_second_acknowledgement_is_rejected_and_keeps_the_comment(
        self, operator: Client, unit: StorageUnit
    ) -> None:
        alarm = AlarmFactory(storage_unit=unit)
        url = url_of(alarm, "alarm-acknowledge")
        operator.post(url, {"acknowledge-comment": "On my way."})
        text = operator.post(url, {"acknowledge-comment": "Me too."}).content.decode()
        assert "operator has already acknowledged this alarm" in text
        assert "Me too." in text

    def test_an_ongoing_alarm_cannot_be_closed(self, operator: Client, unit: StorageUnit) -> None:
        assert list(operator.get(url_of(AlarmFactory(storage_unit=unit))).context["forms"]) == [
            "acknowledge",
            "comment",
        ]

    @pytest.mark.parametrize("action", ["acknowledge", "comment", "close"])
    def test_viewers_cannot_change_anything(
        self, sign_in: Callable[..., Client], unit: StorageUnit, action: str
    ) -> None:
        viewer = sign_in("viewer")
        alarm = AlarmFactory(storage_unit=unit, ended_at=timezone.now())
        page = viewer.get(url_of(alarm))
        assert page.context["forms"] == {}
        data = {f"{action}-{name}": "x" for name in ("comment", "text", "cause", "corrective_action")}
        assert viewer.post(url_of(alarm, f"alarm-{action}"), data).status_code == 403
        assert alarm.events.count() == 1

    def test_another_customers_alarm_cannot_be_changed(self, operator: Client) -> None:
        alarm = AlarmFactory()
        data = {"acknowledge-comment": "x"}
        assert operator.post(url_of(alarm, "alarm-acknowledge"), data).status_code == 404
        alarm.refresh_from_db()
        assert alarm.state == "open"

    def test_a_token_limited_to_units_can_view_their_alarms(self, client: Client, unit: StorageUnit) -> None:
        _, text = make_token(unit.facility.customer, permissions=["read", "manage"], units=[unit])
        name = unit.facility.customer.customer_code
        client.post(reverse("login"), {"username": name, "password": text})
        own = AlarmFactory(storage_unit=unit)
        other = AlarmFactory(storage_unit=StorageUnitFactory(facility=unit.facility))
        assert client.get(url_of(own)).context["forms"] == {}
        assert client.get(url_of(other)).status_code == 404
        assert client.post(url_of(own, "alarm-acknowledge"), {"acknowledge-comment": "x"}).status_code == 403
