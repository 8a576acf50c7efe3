"""How much of a list is searched for a page: about what it holds, however often the units send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from core.scope import Scope
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing
from readings.units.unit_refs import visible_unit_refs
from tests.factories import StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def listing_of(*, interval_seconds: int, every: timedelta, count: int) -> Listing:
    """Return the list of a unit that sent this many readings from NOON on."""
    unit = StorageUnitFactory(interval_seconds=interval_seconds)
    store_readings(unit, [5.0] * count, start=NOON, every=every)
    return Listing(visible_unit_refs(Scope.everything()), ReadingFilter())


def test_the_rate_is_what_was_sent_since_yesterday_began() -> None:
    total, a_second = listing_of(interval_seconds=900, every=timedelta(minutes=1), count=721).count()
    # Up to midnight, 24 hours after yesterday began.
    assert total == 721
    assert a_second == pytest.approx(721 / 86_400)


@pytest.mark.parametrize("every_seconds", [10, 60, 900, 7_200])
def test_a_page_of_a_unit_that_sends_at_another_interval_takes_one_statement(
    every_seconds: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    listing = listing_of(interval_seconds=900, every=timedelta(seconds=every_seconds), count=150)
    counted = listing.count()
    with django_assert_num_queries(1):
        assert len(listing.rows(20, counted=counted)) == 20


def test_without_readings_nothing_is_counted() -> None:
    StorageUnitFactory()
    listing = Listing(visible_unit_refs(Scope.everything()), ReadingFilter())
    assert listing.count() == (0, None)
    assert listing.rows(20) == []
