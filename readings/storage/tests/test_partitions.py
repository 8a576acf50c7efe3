"""Months have partitions before they begin."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pytest_django import DjangoAssertNumQueries

from readings.storage.partitions import (
    ensure_partitions,
    ensure_partitions_ahead,
    existing_partitions,
    missing_partitions,
    months_between,
)
from readings.tasks import make_partitions

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

NOVEMBER = datetime(2040, 11, 24, 12, tzinfo=UTC)


def test_this_month_and_three_more_are_created_ahead_across_the_year() -> None:
    made = ensure_partitions_ahead(NOVEMBER)
    assert made == ["reading_2040_11", "reading_2040_12", "reading_2041_01", "reading_2041_02"]
    assert set(made) <= existing_partitions()


def test_existing_partitions_are_not_created_again() -> None:
    ensure_partitions_ahead(NOVEMBER)
    assert ensure_partitions_ahead(NOVEMBER) == []


def test_missing_partitions_are_reported() -> None:
    assert missing_partitions(NOVEMBER) == ["reading_2040_11", "reading_2040_12"]
    ensure_partitions([datetime(2040, 11, 1, tzinfo=UTC)])
    assert missing_partitions(NOVEMBER) == ["reading_2040_12"]
    ensure_partitions_ahead(NOVEMBER)
    assert missing_partitions(NOVEMBER) == []


def test_looking_for_partitions_that_exist_takes_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    ensure_partitions_ahead(NOVEMBER)
    with django_assert_num_queries(1):
        ensure_partitions_ahead(NOVEMBER)


def test_months_between_two_instants_include_both_ends() -> None:
    assert months_between(datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)) == [
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ]


def test_the_task_creates_the_coming_months() -> None:
    make_partitions()
    assert missing_partitions() == []
