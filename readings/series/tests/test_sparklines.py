"""The paths of sparklines."""

from __future__ import annotations

import pytest

from readings.series.sparklines import HEIGHT, LEAST_SPAN_K, MARGIN, WIDTH, sparkline


def test_a_line_runs_from_the_bottom_to_the_top_of_the_picture() -> None:
    assert sparkline([0, 12, 24], [2.0, 5.0, 8.0]).startswith(f"M0 {HEIGHT - MARGIN}")
    assert sparkline([23, 24], [2.0, 8.0]).endswith(f"L{WIDTH} {MARGIN}")


def test_a_missing_hour_interrupts_the_line() -> None:
    assert sparkline([1, 2, 4, 5], [5.0, 5.0, 5.0, 5.0]) == "M4 12h.1L8 12M16 12h.1L20 12"


def test_a_single_hour_is_a_dot() -> None:
    assert sparkline([12], [-18.0]) == "M48 12h.1"


@pytest.mark.parametrize("span_k", [0.1, 1.0, LEAST_SPAN_K])
def test_small_variations_are_drawn_to_the_scale_of_the_least_span(span_k: float) -> None:
    pixels = round((HEIGHT - 2 * MARGIN) * span_k / LEAST_SPAN_K / 2)
    assert sparkline([0, 1], [5.0 - span_k / 2, 5.0 + span_k / 2]) == f"M0 {12 + pixels}h.1L4 {12 - pixels}"
