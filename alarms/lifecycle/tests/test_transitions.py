"""The life of an alarm of an excursion: pending, open, acknowledged, closed, reopened."""

from __future__ import annotations

import pytest

from alarms.evaluation.tests.test_evaluate import make_unit, rows_of
from alarms.lifecycle.actions import ActionNotAllowed, acknowledge, close, comment
from alarms.lifecycle.excursion_alarms import STAYS_CRITICAL
from alarms.lifecycle.transitions import close_cleared, close_of_inactive_customers
from alarms.models import Alarm, AlarmEvent, Excursion
from alarms.tests.evaluation import at, load
from customers.models import Customer, StorageUnit

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit() -> StorageUnit:
    """2 to 8 °C for 20 minutes, critical from 10 °C on; cleared 15 minutes after it is back."""
    return make_unit(clearing_delay_seconds=900)


def read(unit: StorageUnit, *readings: tuple[int, int] | tuple[int, float]) -> None:
    """One after the other, each stored when it was measured."""
    for minute, temperature_c in readings:
        load(rows_of(unit, [(minute, 0, temperature_c)]), at(minute))


def event_kinds(alarm: Alarm) -> list[str]:
    return [str(event.kind) for event in alarm.events.order_by("id")]


def test_an_alarm_is_pending_while_its_delay_runs(unit: StorageUnit) -> None:
    read(unit, (0, 5), (5, 9))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.opened_at, alarm.started_at) == ("pending", None, at(5))
    assert event_kinds(alarm) == []


def test_an_excursion_shorter_than_its_delay_leaves_no_alarm(unit: StorageUnit) -> None:
    read(unit, (0, 5), (5, 9), (20, 9), (24, 5), (60, 5))
    assert not Alarm.objects.exists()
    assert Excursion.objects.count() == 1


def test_it_opens_with_the_reading_that_completes_the_delay(unit: StorageUnit) -> None:
    read(unit, (0, 5), (5, 9), (24, 9), (25, 9.5))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.opened_at, alarm.severity, alarm.temperature_c) == ("open", at(25), "warning", 9.5)
    assert event_kinds(alarm) == ["opened"]


def test_it_opens_as_critical_once_the_critical_delay_has_passed(unit: StorageUnit) -> None:
    read(unit, (5, 9), (17, 11), (21, 11), (22, 11))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.severity, alarm.opened_at) == ("open", "critical", at(22))
    assert event_kinds(alarm) == ["opened"]


def test_it_opens_at_the_severity_of_its_latest_reading(unit: StorageUnit) -> None:
    read(unit, (5, 9), (24, 9), (25, 11))
    assert Alarm.objects.get().severity == "critical"


def test_an_open_alarm_worsens_immediately(unit: StorageUnit) -> None:
    read(unit, (5, 9), (25, 9), (26, 11))
    alarm = Alarm.objects.get()
    assert alarm.severity == "critical"
    assert list(alarm.events.order_by("id").values_list("kind", "happened_at")) == [
        ("opened", at(25)),
        ("worsened", at(26)),
    ]


def test_a_critical_alarm_stays_critical_when_late_readings_void_its_critical_delay(unit: StorageUnit) -> None:
    read(unit, (5, 9), (17, 11), (22, 11), (27, 9))
    assert Alarm.objects.get().severity == "critical"

    load(rows_of(unit, [(19, 0, 9)]), at(28))
    load(rows_of(unit, [(29, 0, 9)]), at(29))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.severity) == ("open", "critical")
    assert Excursion.objects.get().critical_alarm_at is None
    assert event_kinds(alarm) == ["opened", "revised"]
    revised = alarm.events.get(kind="revised")
    assert (revised.happened_at, revised.text) == (at(28), STAYS_CRITICAL)


def test_a_closed_critical_alarm_stays_critical(unit: StorageUnit) -> None:
    read(unit, (5, 9), (17, 11), (22, 11), (27, 9), (30, 5))
    close_cleared(at(45))
    load(rows_of(unit, [(19, 0, 9)]), at(50))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.severity) == ("closed", "critical")
    assert event_kinds(alarm) == ["opened", "ended", "closed", "revised"]


def test_it_closes_automatically_when_the_clearing_delay_is_over(unit: StorageUnit) -> None:
    read(unit, (5, 9), (25, 9), (30, 5))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.ended_at) == ("open", at(30))
    assert close_cleared(at(44)) == 0
    assert close_cleared(at(45)) == 1
    alarm.refresh_from_db()
    assert (alarm.state, alarm.closed_at, alarm.closed_by) == ("closed", at(45), "")
    assert event_kinds(alarm) == ["opened", "ended", "closed"]


def test_the_alarm_of_an_inactive_customer_is_closed_until_the_excursion_goes_on(unit: StorageUnit) -> None:
    """No reading would end it while the customer is inactive."""
    customer = unit.facility.customer
    read(unit, (5, 9), (25, 9))
    set_active(customer, is_active=False)
    assert close_of_inactive_customers(at(30)) == 1

    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.closed_at, alarm.ended_at) == ("closed", at(30), None)
    assert event_kinds(alarm) == ["opened", "closed"]
    assert close_of_inactive_customers(at(31)) == 0

    read(unit, (35, 9))
    alarm.refresh_from_db()
    assert alarm.state == "closed"

    set_active(customer, is_active=True)
    read(unit, (40, 9))
    alarm.refresh_from_db()
    assert (alarm.state, alarm.closed_at) == ("open", None)
    assert event_kinds(alarm) == ["opened", "closed", "reopened"]


def test_a_pending_alarm_of_an_inactive_customer_is_discarded(unit: StorageUnit) -> None:
    read(unit, (5, 9))
    set_active(unit.facility.customer, is_active=False)
    close_of_inactive_customers(at(10))
    assert not Alarm.objects.exists()


def test_alarms_of_active_customers_stay_open(unit: StorageUnit) -> None:
    read(unit, (5, 9), (25, 9))
    assert close_of_inactive_customers(at(30)) == 0
    assert Alarm.objects.get().state == "open"


def set_active(customer: Customer, *, is_active: bool) -> None:
    customer.is_active = is_active
    customer.save()


def test_it_is_reopened_when_the_excursion_returns_within_the_clearing_delay(unit: StorageUnit) -> None:
    read(unit, (5, 9), (25, 9), (30, 5), (40, 9))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.ended_at, alarm.reopened_count) == ("open", None, 1)
    assert event_kinds(alarm) == ["opened", "ended", "reopened"]


def test_it_is_reopened_even_if_it_had_closed_before_the_readings_arrived(unit: StorageUnit) -> None:
    read(unit, (5, 9), (25, 9), (30, 5))
    close_cleared(at(45))
    load(rows_of(unit, [(44, 0, 9), (46, 0, 9)]), at(46))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.closed_at) == ("open", None)


def test_it_is_reopened_by_a_backlog_whose_first_part_is_from_long_ago(unit: StorageUnit) -> None:
    read(unit, (5, 9), (25, 9), (30, 5))
    close_cleared(at(45))
    load(rows_of(unit, [(40, 0, 9), (100, 0, 9)]), at(300))
    assert Alarm.objects.get().state == "closed"

    load(rows_of(unit, [(160, 0, 9), (220, 0, 9), (280, 0, 9)]), at(300))

    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.ended_at, alarm.closed_at) == ("open", None, None)
    assert event_kinds(alarm) == ["opened", "ended", "closed", "reopened"]


def test_an_excursion_that_returns_later_has_an_alarm_of_its_own(unit: StorageUnit) -> None:
    read(unit, (5, 9), (25, 9), (30, 5), (45, 9), (65, 9))
    assert [alarm.started_at for alarm in Alarm.objects.order_by("started_at")] == [at(5), at(45)]


def test_readings_that_arrive_together_but_recently_open_an_alarm(unit: StorageUnit) -> None:
    load(rows_of(unit, [(5, 0, 9), (25, 0, 9), (30, 0, 5)]), at(35))
    alarm = Alarm.objects.get()
    assert not alarm.is_detected_late
    assert event_kinds(alarm) == ["opened", "ended"]


def test_a_late_detected_ongoing_excursion_opens_once_the_data_has_caught_up(unit: StorageUnit) -> None:
    load(rows_of(unit, [(minute, 0, 9) for minute in range(0, 60, 5)]), at(600))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.is_detected_late) == ("closed", True)
    load(rows_of(unit, [(minute, 0, 9) for minute in range(60, 600, 5)]), at(600))
    alarm.refresh_from_db()
    assert (alarm.state, alarm.is_detected_late) == ("open", False)
    assert event_kinds(alarm)[-1] == "opened"


def test_an_alarm_whose_delay_was_not_completed_after_all_is_withdrawn(unit: StorageUnit) -> None:
    read(unit, (0, 9), (20, 9), (21, 9))
    Alarm.objects.update(state="acknowledged", acknowledged_at=at(21), acknowledged_by="anna")
    load(rows_of(unit, [(1, 0, 5)]), at(22))
    alarm = Alarm.objects.get(is_withdrawn=True)
    assert (alarm.state, alarm.acknowledged_by) == ("closed", "anna")
    assert event_kinds(alarm)[-1] == "withdrawn"


class TestActions:
    @pytest.fixture
    def alarm(self, unit: StorageUnit) -> Alarm:
        read(unit, (5, 9), (25, 9))
        return Alarm.objects.get()

    def test_acknowledging_requires_a_comment(self, alarm: Alarm) -> None:
        with pytest.raises(ActionNotAllowed, match="comment"):
            acknowledge(alarm, by="anna", comment=" ")
        acknowledge(alarm, by="anna", comment="Moving the goods")
        alarm.refresh_from_db()
        assert (alarm.state, alarm.acknowledged_by, alarm.acknowledgement) == (
            "acknowledged",
            "anna",
            "Moving the goods",
        )
        event = alarm.events.get(kind=AlarmEvent.Kind.ACKNOWLEDGED)
        assert (event.by, event.text) == ("anna", "Moving the goods")

    def test_it_is_acknowledged_once(self, alarm: Alarm) -> None:
        acknowledge(alarm, by="anna", comment="On my way")
        with pytest.raises(ActionNotAllowed, match="anna has already acknowledged"):
            acknowledge(alarm, by="ben", comment="Me too")

    def test_a_comment_can_be_added_at_any_time(self, alarm: Alarm) -> None:
        comment(alarm, by="ben", text="Door seal ordered")
        assert alarm.events.latest("id").text == "Door seal ordered"

    def test_it_cannot_be_closed_while_its_condition_is_active(self, alarm: Alarm) -> None:
        with pytest.raises(ActionNotAllowed, match="still active"):
            close(alarm, by="anna", cause="door", corrective_action="closed it")

    def test_cause_and_corrective_action_close_it_and_are_recorded(self, alarm: Alarm, unit: StorageUnit) -> None:
        read(unit, (30, 5))
        with pytest.raises(ActionNotAllowed, match="corrective action"):
            close(alarm, by="anna", cause="door", corrective_action="")
        close(alarm, by="anna", cause="door", corrective_action="closed it")
        alarm.refresh_from_db()
        assert (alarm.state, alarm.closed_by, alarm.cause) == ("closed", "anna", "door")
        assert event_kinds(alarm) == ["opened", "ended", "closed", "reviewed"]

    def test_the_review_of_an_automatically_closed_alarm_can_be_added_and_corrected(
        self, alarm: Alarm, unit: StorageUnit
    ) -> None:
        read(unit, (30, 5), (60, 5))
        close_cleared(at(60))
        close(alarm, by="anna", cause="door", corrective_action="closed it")
        close(alarm, by="ben", cause="door seal", corrective_action="replaced it")
        assert [event.text for event in alarm.events.filter(kind="reviewed").order_by("id")] == [
            "Cause: door Corrective action: closed it",
            "Cause: door seal Corrective action: replaced it",
        ]

    def test_a_pending_alarm_can_be_neither_acknowledged_nor_closed(self, unit: StorageUnit) -> None:
        read(unit, (5, 9))
        with pytest.raises(ActionNotAllowed):
            acknowledge(Alarm.objects.get(), by="anna", comment="what?")
        with pytest.raises(ActionNotAllowed):
            close(Alarm.objects.get(), by="anna", cause="a", corrective_action="b")
