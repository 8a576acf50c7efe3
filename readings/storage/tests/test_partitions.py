"""Months have partitions before they begin."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from readings.storage.partitions import (
    close_partitions,
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


def options_of(partition: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", [partition])
        [(options,)] = cursor.fetchall()
    return dict(option.split("=") for option in options)


def test_a_partition_that_is_filling_is_vacuumed_as_it_grows_and_frozen_at_once() -> None:
    ensure_partitions_ahead(NOVEMBER)
    options = options_of("reading_2040_11")
    assert options["autovacuum_freeze_min_age"] == "0"
    assert options["autovacuum_vacuum_insert_scale_factor"] == "0.05"


def test_a_month_that_ended_a_week_ago_is_closed_once() -> None:
    close_partitions(NOVEMBER)
    ensure_partitions_ahead(NOVEMBER)
    assert close_partitions(datetime(2040, 12, 7, 23, tzinfo=UTC)) == []
    assert close_partitions(datetime(2040, 12, 8, tzinfo=UTC)) == ["reading_2040_11"]
    assert close_partitions(datetime(2040, 12, 8, tzinfo=UTC)) == []
    assert options_of("reading_2040_11")["autovacuum_vacuum_insert_threshold"] == "0"
    assert options_of("reading_2040_11")["autovacuum_freeze_min_age"] == "0"


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
