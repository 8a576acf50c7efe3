"""Times are read by what tells their zone and their half of the day; what is not understood is noted."""

from __future__ import annotations

import json

import pytest

from ingestion.parsing.tests.parsing import parse
from ingestion.sources.mapping import FieldMapping

ROW = {"unit_id": "a", "temperature": 4.5, "time": "2026-11-23 10:00"}


def hours(body: str, mapping: FieldMapping | None = None) -> list[int]:
    return [row["recorded_at"].hour for row in parse(body, mapping, default_unit="u").rows]


@pytest.mark.parametrize("title", ["AM/PM", "ampm", "half"])
def test_a_column_of_am_and_pm_belongs_to_the_time(title: str) -> None:
    body = f"Date,Time,{title},Temp C\n11/23/2026,10:00:00,PM,4.5\n11/23/2026,12:15:00,am,4.6\n"
    assert hours(body) == [22, 0]
    assert hours(body, FieldMapping(time_zone="Europe/Berlin")) == [21, 23]
    assert not any("without a zone" in note for note in parse(body, default_unit="u").notes)


@pytest.mark.parametrize(
    "title", ["Data/Hora", "Fecha/Hora", "Date/Heure", "Datum/Zeit", "Datum/Uhrzeit", "Data/Ora", "Datum/Tijd"]
)
def test_a_slash_between_two_words_is_no_time_zone(title: str) -> None:
    assert hours(f"{title};Temperatura (°C)\n23/11/2026 10:00;4,5\n", FieldMapping(time_zone="UTC")) == [10]
    assert hours(f"{title} America/Sao_Paulo;Temperatura (°C)\n23/11/2026 10:00;4,5\n") == [13]


def test_am_and_pm_beside_a_time_are_read_in_json() -> None:
    assert hours(json.dumps([{**ROW, "time": "11/23/2026 10:00", "am_pm": "PM"}])) == [22]


def test_of_two_columns_the_one_in_utc_is_the_time() -> None:
    assert hours("local_time,utc_time,temp_c\n2026-11-23 05:00,2026-11-23 10:00,4.5\n") == [10]


@pytest.mark.parametrize("title", ["Local Time", "local_time", "Timestamp (local)"])
def test_a_local_time_without_a_time_zone_is_noted(title: str) -> None:
    note = f'The times of "{title}" are read as UTC. Set the time zone.'
    body = f"{title},temp_c\n2026-11-23 05:00,4.5\n"
    assert note in parse(body, default_unit="u").notes
    assert note in parse(json.dumps([{"unit_id": "a", title: "2026-11-23 05:00", "temp_c": 4.5}])).notes
    assert note not in parse(body, FieldMapping(time_zone="Europe/Berlin"), default_unit="u").notes
    assert note not in parse(f"{title},temp_c\n2026-11-23T05:00Z,4.5\n", default_unit="u").notes


@pytest.mark.parametrize("offset", ["-300", "-18000", "Mars", "5"])
@pytest.mark.parametrize("name", ["utc_offset", "tz_offset"])
def test_rows_with_an_offset_that_is_not_understood_are_rejected(name: str, offset: str) -> None:
    value: object = offset if offset == "Mars" else int(offset)
    for body in (f"time,{name},temp_c\n2026-11-23 10:00,{offset},4.6\n", json.dumps([{**ROW, name: value}])):
        parsed = parse(body, default_unit="u")
        assert [rejected.reason.value for rejected in parsed.rejected] == ["unreadable_time"]
        assert "Set the time format or the time zone" in parsed.rejection.message


def test_a_whole_number_of_hours_is_the_offset_in_json_as_in_csv() -> None:
    assert hours(json.dumps([{**ROW, "utc_offset": -5}])) == [15]
    assert hours("time,utc_offset,temp_c\n2026-11-23 10:00,-5,4.6\n") == [15]


def test_the_zone_of_a_device_around_the_rows_is_that_of_their_times() -> None:
    body = {"device": {"id": "d", "timezone": "America/Chicago"}, "data": [{"time": ROW["time"], "temp_c": 4.5}]}
    assert hours(json.dumps(body)) == [16]


def test_a_zone_below_the_rows_is_noted() -> None:
    body = "Time,Temp C\n2026-11-23 10:00,4.5\nTime zone: UTC-6\n"
    note = "A line below the header gives the zone UTC-06:00, which was not applied. Set the time zone."
    assert note in parse(body, default_unit="u").notes
    assert note not in parse(body, FieldMapping(time_zone="America/Chicago"), default_unit="u").notes


def twelve_hours(start: int, stop: int, step: int = 1) -> list[str]:
    """Return the hours of a day from `start` to `stop` as a clock of 12 hours shows them."""
    return [f"2026-11-20 {(hour - 1) % 12 + 1:02}:00" for hour in range(start, stop, step)]


@pytest.mark.parametrize("times", [twelve_hours(9, 16), twelve_hours(9, 16)[::-1], twelve_hours(7, 20, 3)])
def test_a_clock_of_12_hours_without_am_and_pm_is_told(times: list[str]) -> None:
    body = "Time,Temp C\n" + "".join(f"{time},4.5\n" for time in times)
    assert any("clock of 12 hours" in note for note in parse(body, default_unit="u").notes)


@pytest.mark.parametrize(
    "rows",
    [
        [(f"2026-11-20 {hour:02}:00", "a") for hour in (*range(1, 13), *range(13, 15))],
        [(f"2026-11-20 {hour:02}:00", unit) for unit in "ab" for hour in range(1, 13)],
        [(f"2026-11-{day} {hour:02}:00", "a") for day in (20, 21) for hour in (8, 9, 10)],
        [("2026-11-20 12:00", "a"), ("2026-11-20 01:00", "a")],
    ],
    ids=["24 hours", "several units", "mornings", "two rows in disorder"],
)
def test_other_times_before_noon_are_not(rows: list[tuple[str, str]]) -> None:
    body = "Time,Unit,Temp C\n" + "".join(f"{time},{unit},4.5\n" for time, unit in rows)
    assert not any("clock of 12 hours" in note for note in parse(body).notes)
