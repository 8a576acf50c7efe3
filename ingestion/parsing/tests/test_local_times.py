"""Local times: in the hours that are skipped or repeated when the clocks change, and beside times with zones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.parsing import batches
from ingestion.parsing.results import RowContext
from ingestion.parsing.tests.parsing import Parsed, parse
from ingestion.parsing.values.local_times import LocalClock, resolve_folds
from ingestion.parsing.values.timestamps import EPOCH, MICROSECOND, microseconds
from ingestion.sources.mapping import FieldMapping

LONDON = FieldMapping(time_zone="Europe/London")
RECEIVED_LATER = datetime(2027, 1, 1, tzinfo=UTC)


def logger_file(*times: str, day: str = "2026-10-25") -> str:
    """Return a logger's file with these times, on the day London's clocks go back from 02:00 to 01:00."""
    return "Time,Temp\n" + "".join(f"{day} {time},{position}\n" for position, time in enumerate(times))


def utc_times(parsed: Parsed) -> list[str]:
    return [f"{time:%H:%M}" for time in parsed.readings.sort("row_number")["recorded_at"]]


def parse_london(text: str, **arguments: object) -> Parsed:
    return parse(text, LONDON, file_name="freezer.csv", received_at=RECEIVED_LATER, **arguments)


def test_local_times_are_converted_to_utc() -> None:
    parsed = parse_london(logger_file("10:00", day="2026-07-01") + "2026-12-01 10:00,1\n")
    assert utc_times(parsed) == ["09:00", "10:00"]


def test_a_time_with_an_offset_is_not_local() -> None:
    parsed = parse_london("Time,Temp\n2026-10-25T01:30:00+01:00,1\n2026-10-25T01:30:00Z,2\n")
    assert utc_times(parsed) == ["00:30", "01:30"]


def test_the_skipped_hour_is_rejected() -> None:
    parsed = parse_london(logger_file("00:59", "01:30", "02:00", day="2026-03-29"))
    assert utc_times(parsed) == ["00:59", "01:00"]
    assert parsed.reasons == {3: "skipped_hour"}
    assert parsed.rejection.raw == "2026-03-29 01:30,1"
    assert "Europe/London" in parsed.rejection.message


def test_the_repeated_hour_is_resolved_in_file_order() -> None:
    parsed = parse_london(logger_file("00:40", "01:00", "01:20", "01:40", "01:00", "01:20", "01:40", "02:00"))
    assert utc_times(parsed) == ["23:40", "00:00", "00:20", "00:40", "01:00", "01:20", "01:40", "02:00"]
    assert parsed.temperatures == sorted(each for each in parsed.temperatures if each is not None)


@pytest.mark.parametrize(
    ("times", "in_utc"),
    [
        (("00:40", "01:00", "01:20", "01:10"), ["23:40", "00:00", "00:20"]),
        (("00:45", "01:15", "01:15"), ["23:45", "00:15"]),
    ],
)
def test_a_late_or_repeated_row_is_not_of_an_occurrence_that_is_still_to_come(
    times: tuple[str, ...], in_utc: list[str]
) -> None:
    """Received at 01:25, before the clocks are put back, a row at 01:10 was not measured at the second 01:10."""
    received_at = datetime(2026, 10, 25, 0, 25, tzinfo=UTC)
    parsed = parse(logger_file(*times), LONDON, file_name="freezer.csv", received_at=received_at)
    assert utc_times(parsed) == in_utc
    assert parsed.reasons == {len(times) + 1: "ambiguous_hour"}


def test_a_descending_file_is_resolved_backwards() -> None:
    parsed = parse_london(logger_file("02:00", "01:30", "01:00", "01:30", "01:00", "00:30"))
    assert utc_times(parsed) == ["02:00", "01:30", "01:00", "00:30", "00:00", "23:30"]


def test_rows_above_another_header_are_resolved_in_their_own_zone() -> None:
    """They wait for the rows after them, and those may have another header, with another zone."""
    london = "Time (Europe/London),Temperature(°C)\n2026-10-25 00:50,1\n2026-10-25 01:40,2\n2026-10-25 01:10,3\n"
    new_york = "Time (America/New_York),Temperature(°C)\n2026-10-26 01:10,4\n"

    parsed = parse(london + new_york, default_unit="Freezer 12")

    assert utc_times(parsed) == ["23:50", "00:40", "01:10", "05:10"]


def test_a_rejected_row_of_a_repeated_hour_keeps_its_own_header() -> None:
    """By which it is replayed."""
    first = "Time,Temperature(°C)\n2026-10-25 01:30,1\n"
    parsed = parse_london(f"{first}Time,Temp °F,Battery\n2026-10-26 01:10,41,3\n")

    (batch,) = [each for each in parsed.batches if each.rejected]
    assert RowContext.from_text(batch.row_context).line == "Time,Temperature(°C)"


def test_an_hourly_logger_has_the_same_wall_time_twice() -> None:
    assert utc_times(parse_london(logger_file("00:30", "01:30", "01:30", "02:30"))) == [
        "23:30",
        "00:30",
        "01:30",
        "02:30",
    ]


def test_a_repeated_hour_without_a_step_back_is_rejected() -> None:
    parsed = parse_london(logger_file("00:30", "01:10", "01:30", "02:30"))
    assert parsed.reasons == {3: "ambiguous_hour", 4: "ambiguous_hour"}
    assert parsed.rejected[0].raw == "2026-10-25 01:10,1"


def test_units_are_resolved_independently() -> None:
    rows = [
        ("00:50", "a"),
        ("00:50", "b"),
        ("01:20", "a"),
        ("01:20", "b"),
        ("01:10", "a"),
        ("02:10", "b"),
        ("02:10", "a"),
    ]
    body = "Time,Temp,unit_id\n" + "".join(f"2026-10-25 {time},1,{unit}\n" for time, unit in rows)
    parsed = parse_london(body)
    assert parsed.reasons == {5: "ambiguous_hour"}
    assert [row["unit_code"] for row in parsed.rows].count("a") == 4
    assert utc_times(parsed) == ["23:50", "23:50", "00:20", "01:10", "02:10", "02:10"]


@pytest.mark.parametrize("few", [0, 1_000])
@pytest.mark.parametrize("batch_rows", [1, 2, 3])
def test_the_repeated_hour_may_be_spread_over_batches(
    batch_rows: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "FEW_ROWS", few)
    text = logger_file("00:40", "01:00", "01:40", "01:00", "01:40", "02:00")
    parsed = parse_london(text, batch_rows=batch_rows)
    assert utc_times(parsed) == ["23:40", "00:00", "00:40", "01:00", "01:40", "02:00"]
    for batch in parsed.batches:
        for number in batch.readings["row_number"]:
            assert batch.raw_row(number) == text.split("\n")[number - 1]


@pytest.mark.parametrize(
    ("before", "run", "after", "folds"),
    [
        (0, [10, 20, 10, 20], 30, [0, 0, 1, 1]),
        (30, [20, 10, 20, 10], 0, [1, 1, 0, 0]),
        (None, [10, 20, 30, 10, 20], None, [0, 0, 0, 1, 1]),
        (None, [30, 20, 10, 30], None, [1, 1, 1, 0]),
        (None, [20, 10], None, None),  # forwards with a step back, or backwards without one
        (None, [10, 20, 10], None, None),
        (0, [10, 20], 30, None),
        (0, [10, 5, 20, 5], 30, None),
        (0, [10, 10], 30, [0, 1]),
        (0, [10, 10, 20, 10], 30, None),  # a repeated row hides which step is the clock's
        (0, [20, 10], 5, None),  # the neighbours contradict each other
    ],
)
def test_the_order_of_rows_determines_the_fold_or_leaves_it_ambiguous(
    before: int | None, run: list[int], after: int | None, folds: list[int] | None
) -> None:
    assert resolve_folds(before, run, after) == folds


@given(
    zone=st.sampled_from(
        ["Europe/London", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu", "Africa/Casablanca"]
    ),
    instant=st.datetimes(datetime(2000, 1, 2), datetime(2037, 12, 30)),  # noqa: DTZ001
)
def test_converting_an_instant_to_local_time_and_back_is_lossless(zone: str, instant: datetime) -> None:
    instant = instant.replace(tzinfo=UTC)
    local = instant.astimezone(ZoneInfo(zone))
    wall = microseconds(local.replace(tzinfo=UTC))
    offsets = LocalClock(ZoneInfo(zone)).offsets(np.array([wall]))
    offset = offsets.second[0] if local.fold else offsets.first[0]
    assert EPOCH + (wall - int(offset)) * MICROSECOND == instant
    assert not offsets.skipped[0]
    assert bool(offsets.ambiguous[0]) is (local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset())


@given(
    gap=st.sampled_from([7, 10, 15, 20, 30, 60]),
    is_backwards=st.booleans(),
    offset=st.integers(0, 6),
)
def test_a_night_with_a_clock_change_is_restored(gap: int, is_backwards: bool, offset: int) -> None:
    start = datetime(2026, 10, 24, 23, offset, tzinfo=UTC)
    instants = [start + timedelta(minutes=gap * step) for step in range(240 // gap)]
    instants = instants[::-1] if is_backwards else instants
    lines = [f"{instant.astimezone(ZoneInfo('Europe/London')):%Y-%m-%d %H:%M},1" for instant in instants]
    parsed = parse_london("Time,Temp\n" + "\n".join(lines))
    assert parsed.rejected == []
    assert parsed.readings.sort("row_number")["recorded_at"].to_list() == instants


ZONED = [f"2026-11-20T10:{minute:02}:00" for minute in range(60)]
WITHOUT_ZONE = 'Times without a zone in "tz" are read as UTC. Set the time zone.'


@pytest.mark.parametrize("blank", [0, 20, 59], ids=["first", "in the sample", "last"])
@pytest.mark.parametrize("batch_rows", [50_000, 7], ids=["one batch", "many batches"])
def test_a_note_tells_of_each_blank_zone_beside_others(blank: int, batch_rows: int) -> None:
    zones = ["" if number == blank else "Europe/Berlin" for number in range(60)]
    rows = [{"time": at, "tz": zone, "temperature": 4.5} for at, zone in zip(ZONED, zones, strict=True)]
    bare = [{key: value for key, value in row.items() if value != ""} for row in rows]
    lines = "\n".join(["time,tz,temperature", *(f"{at},{zone},4.5" for at, zone in zip(ZONED, zones, strict=True)), ""])

    for body in (json.dumps(rows), json.dumps(bare), lines):
        parsed = parse(body, batch_rows=batch_rows, default_unit="U")
        hours = [row["recorded_at"].hour for row in sorted(parsed.rows, key=lambda row: row["row_number"])]
        assert hours == [10 if number == blank else 9 for number in range(60)]
        assert WITHOUT_ZONE in parsed.batches[-1].notes


def test_zones_after_many_blank_ones_apply() -> None:
    lines = "\n".join(["time,tz,temperature", *(f"{at},,4.5" for at in ZONED), "2026-11-20T11:00:00,+01:00,4.5", ""])

    parsed = parse(lines, default_unit="U")

    assert (parsed.rows[-1]["recorded_at"].hour, parsed.rows[0]["recorded_at"].hour) == (10, 10)
    assert WITHOUT_ZONE in parsed.batches[-1].notes


def test_no_note_tells_of_zones_if_every_row_gives_one() -> None:
    lines = "\n".join(["time,tz,temperature", *(f"{at},CET,4.5" for at in ZONED), ""])
    assert not any("zone" in note for note in parse(lines, default_unit="U").batches[-1].notes)


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 11, 100])
def test_a_repeated_hour_of_several_temperatures_may_lie_across_batches(batch_rows: int) -> None:
    cells = ("00:50,1,2", "01:10,1,2", "01:50,1,2", "01:10,1,2", "01:20,1,2", "02:10,1,", "02:20,1,2")
    body = "\n".join(["time,a °C,b °C", *(f"2026-10-25 {each}" for each in cells), ""])
    mapping = FieldMapping(time_zone="Europe/London", skips_without_temperature=True)
    parsed = parse(body, mapping, default_unit="unit", batch_rows=batch_rows)
    found = {(row["sensor_code"], f"{row['recorded_at']:%H:%M}") for row in parsed.rows}
    times = {"23:50", "00:10", "00:50", "01:10", "01:20", "02:20"}
    assert found == {(sensor, time) for sensor in "ab" for time in times} | {("a", "02:10")}
    assert len(parsed.rows) == len(found)
