"""Mean kinetic temperature against the values of the literature."""

from __future__ import annotations

import pytest

from readings.storage.time_weighting import arrhenius, mean_kinetic_temperature_c


def mkt_of(*periods: tuple[float, float]) -> float | None:
    return mean_kinetic_temperature_c(
        sum(hours * arrhenius(temperature_c) for hours, temperature_c in periods), sum(hours for hours, _ in periods)
    )


@pytest.mark.parametrize(
    ("periods", "mkt_c"),
    [
        ([(18, 5), (6, 14)], 8.2852),
        ([(23, 5), (1, 15)], 5.7635),
        ([(1, 20), (1, 25), (1, 30)], 25.8582),
        ([(24, -70)], -70),
    ],
)
def test_the_mkt_of_known_temperatures(periods: list[tuple[int, int]], mkt_c: float) -> None:
    assert mkt_of(*periods) == pytest.approx(mkt_c, abs=5e-5)


def test_without_measurements_there_is_no_mkt() -> None:
    assert mean_kinetic_temperature_c(0.0, 0.0) is None


def test_absolute_zero_is_no_error() -> None:
    assert mkt_of((1, -273.15)) == pytest.approx(-253.15)
