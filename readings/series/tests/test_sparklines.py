"""The paths of sparklines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from customers.models import StorageUnit
from readings.series.sparklines import HEIGHT, HOURS, LEAST_SPAN_K, MARGIN, WIDTH, sparklines
from tests.factories import StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 2, 12, 30, tzinfo=UTC)
BEGINS_AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory()


def path_of(unit: StorageUnit, *means_c: tuple[int, float | None]) -> str | None:
    """Store readings with these means in these hours of the day, and return the path."""
    for hour, mean_c in means_c:
        readings = [None] if mean_c is None else [mean_c - 0.5, mean_c + 0.5]
        begins_at = BEGINS_AT + timedelta(hours=hour)
        store_readings(unit, readings, start=begins_at, every=timedelta(minutes=20))
    return sparklines([unit.pk], NOW).get(unit.pk)


def test_a_line_runs_from_the_bottom_to_the_top_of_the_picture(unit: StorageUnit) -> None:
    path = path_of(unit, (1, 2.0), (2, 5.0), (HOURS, 8.0))
    assert path == f"M4 {HEIGHT - MARGIN}h.1L8 {HEIGHT // 2}M{WIDTH} {MARGIN}h.1"


def test_a_missing_hour_interrupts_the_line(unit: StorageUnit) -> None:
    path = path_of(unit, (1, 5.0), (2, 5.0), (3, None), (4, 5.0), (5, 5.0))
    assert path == "M4 12h.1L8 12M16 12h.1L20 12"


def test_a_single_hour_is_a_dot(unit: StorageUnit) -> None:
    assert path_of(unit, (12, -18.0)) == "M48 12h.1"


def test_only_the_last_day_up_to_the_current_hour_is_drawn(unit: StorageUnit) -> None:
    assert path_of(unit, (0, 2.0), (25, 3.0)) is None


@pytest.mark.parametrize("span_k", [0.1, 1.0, LEAST_SPAN_K])
def test_small_variations_are_drawn_to_the_scale_of_the_least_span(unit: StorageUnit, span_k: float) -> None:
    pixels = round((HEIGHT - 2 * MARGIN) * span_k / LEAST_SPAN_K / 2)
    path = path_of(unit, (1, 5.0 - span_k / 2), (2, 5.0 + span_k / 2))
    assert path == f"M4 {12 + pixels}h.1L8 {12 - pixels}"


def test_each_unit_has_a_path_of_its_own(unit: StorageUnit) -> None:
    other, silent = StorageUnitFactory(), StorageUnitFactory()
    path_of(unit, (1, 5.0))
    path_of(other, (1, 5.0), (2, 5.0))
    paths = sparklines([unit.pk, other.pk, silent.pk], NOW)
    assert paths == {unit.pk: "M4 12h.1", other.pk: "M4 12h.1L8 12"}
