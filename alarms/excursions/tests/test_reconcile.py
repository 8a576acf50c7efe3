"""Matching detected excursions with the stored ones they continue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alarms.excursions.reconcile import match
from alarms.tests.evaluation import at


@dataclass(frozen=True)
class Period:
    started_at: datetime
    ended_at: datetime | None
    alarm_at: datetime | None = None


def period(begin: int, end: int | None, alarm: int | None = None) -> Period:
    return Period(at(begin), None if end is None else at(end), None if alarm is None else at(alarm))


def test_overlapping_excursions_match() -> None:
    assert match([period(0, 10)], [(period(5, 20), 0)]) == {0: 0}


def test_an_excursion_without_overlap_is_new() -> None:
    assert match([period(0, 10)], [(period(11, None), 0)]) == {}


def test_a_merged_excursion_continues_the_earlier_unless_the_later_was_acknowledged() -> None:
    assert match([period(0, 30)], [(period(0, 10), 0), (period(20, 30), 0)]) == {0: 0}
    assert match([period(0, 30)], [(period(0, 10), 1), (period(20, 30), 2)]) == {0: 1}


def test_a_split_excursion_continues_as_the_part_that_raised_its_alarm() -> None:
    found = [period(0, 10), period(15, None)]
    assert match(found, [(period(0, None, alarm=20), 1)]) == {1: 0}
    assert match(found, [(period(0, None), 0)]) == {0: 0}
