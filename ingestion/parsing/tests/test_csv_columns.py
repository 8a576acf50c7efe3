"""What the columns of a CSV body mean: by the mapping, by their titles, and in data loggers' files."""

from __future__ import annotations

import json

import pytest

from ingestion.parsing.csv.header import CsvHeader
from ingestion.parsing.fields.layout import MissingColumn
from ingestion.parsing.tests.parsing import RECEIVED_AT, csv_body, csv_row, parse, unreadable
from ingestion.sources.mapping import FieldMapping


def test_a_mapping_names_columns_and_constants() -> None:
    mapping = FieldMapping(
        facility_field="=Oxford",
        unit_field="Kammer",
        unit_name_field="=Blast freezer",
        sensor_field="fühler",
        time_field="Zeit",
        time_format="%d.%m.%Y %H Uhr %M",
        temperature_field="Wert",
        scale_field="=F",
        quality_field="Güte",
        status_field="Zustand",
        set_temperature_field="Soll",
    )
    body = "zeit;KAMMER;Fühler;wert;güte;zustand;soll\n05.11.2026 10 Uhr 11;K1;2;14,0;0,5;OK;-20\n"
    parsed = parse(body, mapping)
    row = parsed.row
    assert (row["facility_code"], row["unit_code"], row["sensor_code"]) == ("Oxford", "K1", "2")
    assert (row["temperature_c"], row["scale"], row["quality_score"], row["equipment_status"]) == (
        -10.0,
        "F",
        0.5,
        "ok",
    )
    assert f"{row['recorded_at']:%Y-%m-%d %H:%M}" == "2026-11-05 10:11"
    assert parsed.units["Oxford", "K1"].unit_name == "Blast freezer"
    assert parsed.units["Oxford", "K1"].set_temperature == -20.0


def test_a_mapped_column_that_determines_the_meaning_is_required() -> None:
    error = unreadable(csv_body(csv_row()), FieldMapping(scale_field="Einheit"))
    assert error.reason == "no_header"
    assert "Einheit" in error.message
    assert parse(csv_body(csv_row()), FieldMapping(quality_field="Güte")).row["quality_score"] == 1.0


def test_the_scale_comes_from_the_row_else_the_mapping_else_the_title_else_is_celsius() -> None:
    line = "2026-11-23 10:11,a,50"
    assert parse(f"time,unit_id,Temp °F\n{line}\n").row["scale"] == "F"
    assert parse(f"time,unit_id,Temp °F\n{line}\n", FieldMapping(scale="C")).row["scale"] == "C"
    assert parse(f"time,unit_id,Temp\n{line}\n", FieldMapping(scale="K")).row["scale"] == "K"
    assert parse(f"time,unit_id,Temp\n{line}\n").row["scale"] == "C"
    assert parse(f"time,unit_id,Temp °F,degrees\n{line},C\n").row["scale"] == "C"
    assert parse(f"time,unit_id,Temp °F,degrees\n{line},\n").row["scale"] == "F"
    assert parse("time,unit_id,temp,degrees\n2026-11-23 10:11,a,,\n").temperatures == [None]


LOGGER_FILE = """\
Device: TempLog 3000
Serial: 12345

Time,Temperature(°C),Humidity(%),Alarm
23/11/2026 10:11,-18.5,40,
05/11/2026 10:12,-18.4,41,LOW
"""


def test_a_loggers_file_is_one_unit_named_by_the_file_with_a_preamble() -> None:
    mapping = FieldMapping(skip_until_header=True)
    parsed = parse(LOGGER_FILE, mapping, file_name="exports/Freezer 12.csv")
    assert {row["unit_code"] for row in parsed.rows} == {"Freezer 12"}
    assert [f"{row['recorded_at']:%Y-%m-%d}" for row in parsed.rows] == ["2026-11-23", "2026-11-05"]
    assert [row["row_number"] for row in parsed.rows] == [5, 6]
    assert parse(LOGGER_FILE, mapping, file_name="a.csv", default_unit="Chosen").rows[0]["unit_code"] == "Chosen"
    assert parse(LOGGER_FILE, mapping).reasons == {5: "no_unit", 6: "no_unit"}


def test_a_preamble_is_noted_unless_the_mapping_expects_it() -> None:
    assert "Lines before the header: 2." in parse(LOGGER_FILE, default_unit="a").notes
    assert parse(LOGGER_FILE, FieldMapping(skip_until_header=True), default_unit="a").notes == [
        'Columns that are not read: "Humidity(%)", "Alarm".'
    ]


def test_american_and_ambiguous_logger_times() -> None:
    american = "Time,Temp °F\n11/05/2026 10:11:00 AM,14\n11/23/2026 10:11:00 PM,14\n"
    parsed = parse(american, file_name="f.csv")
    assert [f"{row['recorded_at']:%m-%d %H:%M}" for row in parsed.rows] == ["11-05 10:11", "11-23 22:11"]
    ambiguous = parse("Time,Temp\n05/11/2026 10:11,1\n", file_name="f.csv")
    assert ambiguous.reasons == {2: "unreadable_time"}
    assert "time format" in ambiguous.rejection.message
    mapping = FieldMapping(time_format="%d/%m/%Y %H:%M")
    told = parse("Time,Temp\n05/11/2026 10:11,1\n", mapping, file_name="f.csv")
    assert f"{told.row['recorded_at']:%d %B}" == "05 November"


def test_the_time_of_the_response_can_be_the_time_of_every_row() -> None:
    parsed = parse("unit_id,temp\na,1\n", FieldMapping(time_field="=received"))
    assert parsed.row["recorded_at"] == RECEIVED_AT


def test_a_column_called_unit_is_the_scale_or_else_the_storage_unit() -> None:
    header = "time,temperature,unit\n2026-11-23 10:11,41,"
    assert parse(f"{header}F\n", file_name="a.csv").row["scale"] == "F"
    assert parse(f"{header}Freezer 1\n").row["unit_code"] == "Freezer 1"
    unknown = parse(f"{header}Rankine\n", file_name="a.csv")
    assert unknown.reasons == {2: "unknown_scale"}


@pytest.mark.parametrize("title", ["name", "Messgröße", "what"])
def test_a_column_whose_values_are_quantities_says_what_is_measured(title: str) -> None:
    body = (
        f"time,{title},value,unit\n2026-11-23 10:00,Temperature,4.5,°C\n2026-11-23 10:00,Dew point,-2,°C\n"
        "2026-11-23 10:00,Humidity,60,%\n"
    )
    parsed = parse(body, default_unit="u")
    assert parsed.temperatures == [4.5]
    assert any("rows of other quantities were passed over" in note for note in parsed.notes)


def test_temperatures_of_a_column_of_quantities_are_sensors() -> None:
    body = (
        "time,name,value,unit\n2026-11-23 10:00,Air temperature,4.5,°C\n2026-11-23 10:00,Core temperature,5.5,°C\n"
        "2026-11-23 10:00,Set point,3,°C\n"
    )
    parsed = parse(body, default_unit="u")
    assert [(row["sensor_code"], row["temperature_c"]) for row in parsed.rows] == [
        ("Air temperature", 4.5),
        ("Core temperature", 5.5),
    ]


def test_a_line_that_only_looks_like_a_header_is_examined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    examined: list[str] = []

    def parse_header(lines: list[str], *_: object, **__: object) -> CsvHeader:
        examined.append(lines[0])
        raise MissingColumn("no column for the time")

    monkeypatch.setattr("ingestion.parsing.csv.table.parse_header", parse_header)
    parsed = parse(csv_body(csv_row(), "temp,unit", csv_row(), "temp,unit", csv_row(), "temp,unit", ",°C"))
    assert len(parsed.rows) == 3
    # Once more where another line, perhaps one of units, is below it.
    assert examined.count("temp,unit") == 2


def body_of(cells: list[str], form: str) -> str:
    """Return a body in which the temperatures of two freezers, the second with these cells, have units."""
    rows = [
        {"time": f"2026-11-23 {10 + minute // 60}:{minute % 60:02}", "Freezer 1": "4.5 °C", "Freezer 2": cell}
        for minute, cell in enumerate(cells)
    ]
    if form == "json":
        return json.dumps(rows)
    return "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows), ""])


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize(
    ("cells", "rejected"),
    [
        (["-18 °C", "ERR", "-18 °C"], 1),
        (["ERR", "ERR", "-18 °C"], 2),
        (["-18 °C", "sensor fault E3", "-18 °C"], 1),
        ([""] * 55 + ["-18 °C"], 0),
        (["ERR"] * 55 + ["-18 °C", "-18 °C"], 55),
    ],
)
def test_a_column_of_temperatures_by_its_units_may_hold_words(form: str, cells: list[str], rejected: int) -> None:
    parsed = parse(body_of(cells, form), default_unit="a")
    assert parsed.readings["sensor_code"].unique(maintain_order=True).to_list() == ["Freezer 1", "Freezer 2"]
    assert [each.reason for each in parsed.rejected] == ["not_a_number"] * rejected
    assert len(parsed.rows) == 2 * len(cells) - rejected


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("cells", [["-18", "-18 °C"], ["door open", "defrost", "-18 °C"], ["50 %", "-18 °C"]])
def test_a_column_with_other_values_than_temperatures_is_noted(form: str, cells: list[str]) -> None:
    parsed = parse(body_of(cells, form), default_unit="a")
    assert parsed.temperatures == [4.5] * len(cells)
    assert any('that are not read: "Freezer 2"' in note for note in parsed.notes)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_null_values_are_no_other_values(form: str) -> None:
    parsed = parse(body_of(["-18 °C", "-999", "-18 °C"], form), FieldMapping(null_values=("-999",)), default_unit="a")
    assert parsed.temperatures == [4.5, -18, 4.5, None, 4.5, -18]


@pytest.mark.parametrize("body", ["time,a °C,b °C\n{},1,2\n", '[{{"time": "{}", "a °C": 1, "b °C": 2}}]'])
@pytest.mark.parametrize("time", ["soon", "1990-01-01 00:00:00", "2000-01-05 00:00:00"])
def test_a_row_of_several_temperatures_is_rejected_once_for_its_time(body: str, time: str) -> None:
    parsed = parse(body.format(time), default_unit="a")
    assert len(parsed.rejected) == 1
    assert not any("2 lines" in note for note in parsed.notes)


def test_a_header_may_recur_between_commas_with_a_decimal_comma_set() -> None:
    header = "time,temperature\n"
    body = f'{header}2026-11-23 10:00:00,"4,5"\n{header}2026-11-23 10:01:00,"-4,5"\n'
    parsed = parse(body, FieldMapping(decimal_mark=","), default_unit="a")
    assert (parsed.temperatures, parsed.rejected) == ([4.5, -4.5], [])


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_scale_that_is_set_precedes_that_of_a_quantity(form: str) -> None:
    row = {"time": "2026-11-23 10:00:00", "field": "temperature_f", "value": "4.5"}
    body = json.dumps([row]) if form == "json" else "\n".join([",".join(row), ",".join(row.values()), ""])
    parsed = parse(body, FieldMapping(scale="C"), default_unit="a")
    assert parsed.row["scale"] == "C"
    assert parsed.notes == ['The scale setting C was used, but "temperature_f" says otherwise.']
    assert parse(body, default_unit="a").row["scale"] == "F"
