from __future__ import annotations

import numpy as np

from simulator.base.instants import HOUR, MINUTE
from simulator.base.seeded_random import Flags
from simulator.conftest import NOON_US
from simulator.model.fleet import Unit
from simulator.model.thermal import Room, ambient_c

YEAR = np.arange(NOON_US - 365 * 24 * HOUR, NOON_US, 5 * MINUTE, dtype=np.int64)


def room(key: int = 1, size: float = 200.0) -> Room:
    return Room.of(key, -20.0, size)


def longest_run(flags: Flags) -> int:
    longest = current = 0
    for flag in flags.tolist():
        current = current + 1 if flag else 0
        longest = max(longest, current)
    return longest


def test_a_healthy_room_is_never_two_kelvin_off_for_half_an_hour() -> None:
    for key in range(1, 30):
        off = np.abs(room(key, size=90.0).temperatures_c(YEAR) + 20.0) > 2.0
        assert longest_run(off) * 5 < 30


def test_a_room_keeps_near_its_set_temperature_on_average() -> None:
    assert abs(room().temperatures_c(YEAR).mean() + 20.0) < 0.3


def test_a_big_room_follows_the_weather_less_than_a_small_one() -> None:
    assert room(size=5_000.0).ambient_share < room(size=500.0).ambient_share


def test_a_big_room_warms_up_more_slowly() -> None:
    assert room(size=4_000.0).time_constant_seconds > room(size=100.0).time_constant_seconds


def test_summer_afternoons_are_warmer_than_winter_nights() -> None:
    july = np.array([1_784_818_800_000_000], dtype=np.int64)  # 2026-07-23 15:00 UTC
    january = np.array([1_769_137_200_000_000], dtype=np.int64)  # 2026-01-23 03:00 UTC
    assert ambient_c(july)[0] > 19.0
    assert ambient_c(january)[0] < 1.0


def test_doors_open_in_working_hours_only() -> None:
    instants = YEAR
    warmth = room()._doors(instants)
    hours = instants // HOUR % 24
    weekday = (instants // (24 * HOUR) + 3) % 7
    assert warmth[(hours >= 7) & (hours < 18) & (weekday < 5)].max() > 0.3
    assert warmth[(hours >= 20) | (hours < 7) | (weekday >= 5)].max() < 0.01


def test_defrosting_shows_as_warm_humps_a_few_times_a_day() -> None:
    humps = room()._defrost(YEAR / 1e6) > 0.5
    starts = int((np.diff(humps.astype(int)) == 1).sum())
    assert 2 * 365 <= starts <= 4 * 365 + 1


def test_square_feet_and_fahrenheit_become_metres_and_celsius() -> None:
    unit = Unit("u", None, 14.0, "F", 1_000, "sqft", 60)
    assert unit.set_temperature_c == -10.0
    assert round(unit.size_square_metres, 2) == 92.90
