"""Which stored excursion goes on as which of those found."""

from dataclasses import dataclass
from datetime import datetime

from alarms.excursions.reconcile import matched
from alarms.tests.judging import at


@dataclass(frozen=True)
class Stretch:
    started_at: datetime
    ended_at: datetime | None
    alarm_at: datetime | None = None


def stretch(begin, end, alarm=None):
    return Stretch(at(begin), None if end is None else at(end), None if alarm is None else at(alarm))


def test_what_overlaps_goes_on():
    assert matched([stretch(0, 10)], [(stretch(5, 20), 0)]) == {0: 0}


def test_what_does_not_touch_is_new():
    assert matched([stretch(0, 10)], [(stretch(11, None), 0)]) == {}


def test_of_two_that_became_one_the_earlier_goes_on_unless_people_acknowledged_the_later():
    assert matched([stretch(0, 30)], [(stretch(0, 10), 0), (stretch(20, 30), 0)]) == {0: 0}
    assert matched([stretch(0, 30)], [(stretch(0, 10), 1), (stretch(20, 30), 2)]) == {0: 1}


def test_of_one_that_became_two_the_part_that_its_alarm_was_about_goes_on():
    found = [stretch(0, 10), stretch(15, None)]
    assert matched(found, [(stretch(0, None, alarm=20), 1)]) == {1: 0}
    assert matched(found, [(stretch(0, None), 0)]) == {0: 0}
