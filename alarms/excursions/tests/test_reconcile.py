"""Which stored excursion goes on as which of those found."""

from dataclasses import dataclass
from datetime import datetime

from alarms.excursions.reconcile import match
from alarms.tests.judging import at


@dataclass(frozen=True)
class Period:
    started_at: datetime
    ended_at: datetime | None
    alarm_at: datetime | None = None


def period(begin, end, alarm=None):
    return Period(at(begin), None if end is None else at(end), None if alarm is None else at(alarm))


def test_what_overlaps_goes_on():
    assert match([period(0, 10)], [(period(5, 20), 0)]) == {0: 0}


def test_what_does_not_touch_is_new():
    assert match([period(0, 10)], [(period(11, None), 0)]) == {}


def test_of_two_that_became_one_the_earlier_goes_on_unless_people_acknowledged_the_later():
    assert match([period(0, 30)], [(period(0, 10), 0), (period(20, 30), 0)]) == {0: 0}
    assert match([period(0, 30)], [(period(0, 10), 1), (period(20, 30), 2)]) == {0: 1}


def test_of_one_that_became_two_the_part_that_its_alarm_was_about_goes_on():
    found = [period(0, 10), period(15, None)]
    assert match(found, [(period(0, None, alarm=20), 1)]) == {1: 0}
    assert match(found, [(period(0, None), 0)]) == {0: 0}
