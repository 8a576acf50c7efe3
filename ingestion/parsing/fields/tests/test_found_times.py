"""The column of the times is found by its title, and what may be one is noted."""

from __future__ import annotations

import json

import pytest

from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.tests.parsing import parse
from ingestion.sources.mapping import FieldMapping

TITLES = [
    "Recorded", "Sample Time", "Local Date/Time", "Reading Date/Time", "Unix Time", "Datum und Uhrzeit", "Messzeit",
    "Zeitpunkt", "Date et heure", "Date de mesure", "Fecha/Hora", "Data/Hora", "Data/ora", "Datum/Tijd", "Dato og tid",
    "Päivämäärä ja aika", "Data i czas", "Dátum/idő", "Tarih/Saat", "Дата/Время", "測定日時", "测量时间",
]  # fmt: skip


def hours_of(body: str, mapping: FieldMapping | None = None) -> list[int]:
    return [row["recorded_at"].hour for row in parse(body, mapping, default_unit="u").rows]


@pytest.mark.parametrize("title", TITLES)
def test_a_time_is_found_by_its_title(title: str) -> None:
    assert hours_of(f"{title};Temp (°C)\n23/11/2026 10:00;4,5\n") == [10]


@pytest.mark.parametrize(
    ("date", "clock"),
    [("Tarih", "Saat"), ("Päivämäärä", "Aika"), ("Дата", "Время"), ("日付", "時刻"), ("Datum", "Tijd")],
)
def test_date_and_time_of_day_may_be_in_two_columns(date: str, clock: str) -> None:
    assert hours_of(f"{date};{clock};Temp (°C)\n23.11.2026;10:00;4,5\n") == [10]


@pytest.mark.parametrize(
    "member",
    [{"taken": "2026-11-23T10:00:00Z"}, {"observation": {"type": "DateTime", "value": "2026-11-23T10:00:00Z"}}],
)
def test_an_object_that_may_have_a_time_is_noted(member: dict[str, object]) -> None:
    """A device that has stopped would seem to go on measuring."""
    (name,) = member
    body = json.dumps({"unit_id": "a", "temperature": 4.5, **member})
    note = f'No field was read as the time, so it is that of the response. "{name}" may be it: set the time field.'

    assert note in parse(body).notes
    assert note not in parse(body, FieldMapping(time_field="=received")).notes
    assert hours_of(body, FieldMapping(time_field=name if name == "taken" else f"{name}.value")) == [10]


@pytest.mark.parametrize(
    "time",
    ["2026-11-23T10:00:00Z", {"$date": "2026-11-23T10:00:00Z"}, {"type": "DateTime", "value": "2026-11-23T10:00Z"}],
)
def test_a_time_may_be_an_attribute(time: object) -> None:
    assert hours_of(json.dumps({"id": "urn:F1", "temperature": {"value": 4.5}, "dateObserved": time})) == [10]


@pytest.mark.parametrize(
    "member", [{"time": "2026-11-23T10:00:00Z"}, {"version": "1.2.3"}, {"serial": "2026-11-23"}, {}]
)
def test_other_objects_are_not_noted(member: dict[str, object]) -> None:
    notes = parse(json.dumps({"unit_id": "a", "temperature": 4.5, **member})).notes
    assert not [note for note in notes if "read as the time" in note]


@pytest.mark.parametrize("time", [{"foo": 1}, {}, {"$date": {}}, {"value": {"value": "2026-11-23T10:00Z"}}, ["2026"]])
def test_other_objects_are_no_times(time: object) -> None:
    (rejected,) = parse(json.dumps([{"unit_id": "a", "temperature": 4.5, "time": time}])).rejected
    assert rejected.reason is Reason.UNREADABLE_TIME
