"""A poll looks back for units that report later than the others, but not with every poll and not without end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from ingestion.models import Source, SourceUnit
from ingestion.polling.progress import Delivered, advance, look_back, note_look
from tests.factories import SourceFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

NOW = timezone.now()
HOUR = timedelta(hours=1)
BEGINS_AT = NOW - HOUR / 4


@pytest.fixture
def source() -> Source:
    return SourceFactory(max_hours=48, first_hours=24, looked_back_at=NOW - HOUR / 2)


def followed(source: Source, **progress: object) -> SourceUnit:
    """Return a unit that the source delivers readings of."""
    return SourceUnit.objects.create(source=source, storage_unit=StorageUnitFactory(), **progress)


def test_a_unit_that_keeps_up_changes_nothing(source: Source) -> None:
    followed(source, complete_until=NOW - HOUR / 5)
    assert look_back(source, BEGINS_AT, NOW) is None


def test_a_poll_begins_where_the_slowest_unit_is_complete(source: Source) -> None:
    followed(source, complete_until=NOW - 2 * HOUR)
    followed(source, complete_until=NOW - 3 * HOUR)
    look = look_back(source, BEGINS_AT, NOW)
    assert look is not None
    assert look.since == NOW - 3 * HOUR


def test_no_look_reaches_back_further_than_the_source_allows(source: Source) -> None:
    followed(source, complete_until=NOW - 1000 * HOUR)
    look = look_back(source, BEGINS_AT, NOW)
    assert look is not None
    assert look.since == NOW - 48 * HOUR


@pytest.mark.parametrize(("since_look", "is_due"), [(0.9, False), (1.1, True)])
def test_a_silent_unit_is_looked_for_after_a_quarter_of_its_silence(
    source: Source, since_look: float, is_due: bool
) -> None:
    followed(source, complete_until=NOW - 4 * HOUR, looked_at=NOW - since_look * HOUR)
    assert (look_back(source, BEGINS_AT, NOW) is not None) == is_due


def test_rows_after_a_gap_are_followed_by_one_look(source: Source) -> None:
    unit = followed(source, complete_until=NOW - 4 * HOUR, looked_at=NOW - HOUR / 10)

    advance([Delivered(source, {unit.storage_unit_id: NOW - HOUR / 10}, BEGINS_AT, NOW)])

    unit.refresh_from_db()
    assert unit.complete_until == NOW - 4 * HOUR
    look = look_back(source, BEGINS_AT, NOW + HOUR / 60)
    assert look is not None
    assert look.since == NOW - 4 * HOUR
    # It failed, or brought nothing: the next one is made in its turn.
    note_look(source, look, look.since, NOW + HOUR / 60)
    advance([Delivered(source, {unit.storage_unit_id: NOW}, BEGINS_AT, NOW + HOUR / 60)])
    assert look_back(source, BEGINS_AT, NOW + HOUR / 30) is None


def test_a_complete_look_advances_the_unit(source: Source) -> None:
    unit = followed(source, complete_until=NOW - 4 * HOUR, ahead_since=NOW - HOUR)

    advance([Delivered(source, {unit.storage_unit_id: NOW - HOUR / 10}, NOW - 4 * HOUR, NOW)])

    unit.refresh_from_db()
    assert (unit.complete_until, unit.ahead_since) == (NOW - HOUR / 10, None)


def test_a_unit_seen_for_the_first_time_is_looked_for_in_the_whole_first_period(source: Source) -> None:
    unit = followed(source)

    advance([Delivered(source, {unit.storage_unit_id: NOW}, BEGINS_AT, NOW)])

    look = look_back(source, BEGINS_AT, NOW)
    assert look is not None
    assert look.since == NOW - 24 * HOUR


def test_a_clock_that_is_ahead_does_not_hide_later_rows(source: Source) -> None:
    unit = followed(source, complete_until=NOW - HOUR / 4)
    advance([Delivered(source, {unit.storage_unit_id: NOW + 20 * HOUR}, BEGINS_AT, NOW)])
    unit.refresh_from_db()
    assert unit.complete_until == NOW


def test_units_never_seen_are_looked_for_in_the_first_period_now_and_then(source: Source) -> None:
    assert look_back(source, BEGINS_AT, NOW) is None
    look = look_back(source, BEGINS_AT, NOW + 6 * HOUR)
    assert look is not None
    assert look.since == NOW - 18 * HOUR
    note_look(source, look, look.since, NOW + 6 * HOUR)
    source.refresh_from_db()
    assert look_back(source, BEGINS_AT + 7 * HOUR, NOW + 7 * HOUR) is None
