"""The fast paths give the same results as converting row by row, for any block boundaries."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.parsing.body.decoded import DecodedBody
from ingestion.parsing.csv.body import parse_csv
from ingestion.parsing.csv.header import parse_header
from ingestion.parsing.csv.lines import LineBlock, LineSplitter
from ingestion.parsing.csv.table import row_rules
from ingestion.parsing.json import body as json_parsing
from ingestion.parsing.json import text
from ingestion.parsing.tests.parsing import RECEIVED_AT, Parsed, json_body, json_row, parse
from ingestion.parsing.values import texts
from ingestion.parsing.values.columns import convert_rows
from ingestion.parsing.values.row import convert_row, converted_frame
from ingestion.parsing.values.rules import ParseOptions, RowRejected, RowRules
from ingestion.parsing.values.timestamps import DayOrder
from ingestion.sources.mapping import FieldMapping

HEADER = (
    "facility_id,unit_id,sensor_id,timestamp,temperature,temperature_unit,quality_score,equipment_status,unit_name,city"
)

odd_texts = st.text(st.sampled_from('a1 .,;"\t\x00\x7f\x85\xa0éß\u2028\r'), max_size=5)
codes = st.sampled_from(["a", "b", "A 1", " a ", "", "x" * 101, "Kühl"]) | odd_texts
instants = st.sampled_from(
    [
        "2026-11-23T10:11:11.123456",
        "2026-11-23 10:11:11",
        "2026-11-23 10:11:11Z",
        "2026-11-23T10:11:11.5+02:00",
        "2026-11-31 10:11:11",
        "05/11/2026 10:11",
        "1795428671",
        "1990-01-01 00:00:00",
        "2099-01-01 00:00:00",
        "",
        "soon",
    ]
)
numbers = st.sampled_from(
    [
        "",
        " ",
        "0",
        "-0",
        "1.5",
        "+.5",
        "1.",
        "1e2",
        "1E-3",
        "ERR",
        "nan",
        "-inf",
        "1e400",
        "1_0",
        '"1,5"',
        '"1.000,5"',
        "0x1",
        "١",
        "1 ",
        "-300",
        "1e3",
    ]
) | st.floats(-500, 1500).map(repr)
scales = st.sampled_from(["C", "F", "K", "°F", "degrees C", "", " ", "R"])
qualities = st.sampled_from(["", "0", "1", "0.9487", "1.01", "-0.1", "nan", "good", " 0.5"])
statuses = st.sampled_from(["", "normal", "Defrost", "x" * 33, " OFF "])
names = st.sampled_from(["", "Freezer", " ", '"Room 5, left"', '5" pipe']) | odd_texts
rows = st.tuples(codes, codes, codes, instants, numbers, scales, qualities, statuses, names, names).map(",".join)
plain_rows = st.tuples(
    st.just("f"),
    st.sampled_from("ab"),
    st.just("s"),
    instants,
    numbers,
    scales,
    qualities,
    statuses,
    st.just("n"),
    st.just(""),
).map(",".join)
lines = rows | plain_rows | st.sampled_from(["", "  ", ",,,,,,,,,", "Total: 5", '"', "a,b"])
bodies = st.lists(lines, min_size=1, max_size=12) | st.lists(plain_rows, min_size=1, max_size=12)


def splitter_and_rules(mapping: FieldMapping) -> tuple[LineSplitter, RowRules]:
    header = parse_header([HEADER], 0, mapping)
    options = ParseOptions(mapping=mapping, received_at=RECEIVED_AT)
    return LineSplitter(header, {}, filter_position=None), row_rules(header, DayOrder.UNDECIDED, options)


def one_by_one(
    splitter: LineSplitter, lines: LineBlock, rules: RowRules
) -> tuple[list[tuple[object, ...]], list[tuple[int, str]]]:
    names = ["facility", "unit", "sensor", "time", "temperature", "scale", "quality", "status", "unit_name", "city"]
    taken, rejected = [], []
    for number in range(2, 2 + lines.count):
        try:
            if not splitter.is_blank(lines.text(number)):
                cells = splitter.split_cells(lines.text(number))
                taken.append(convert_row(number, dict(zip(names, cells, strict=True)), rules))
        except RowRejected as rejection:
            rejected.append((number, rejection.reason.value))
    return converted_frame(taken).rows(), rejected


@settings(max_examples=300, deadline=None)
@given(body=bodies, null_values=st.sampled_from([(), ("ERR",)]), decimal_marks=st.sampled_from([".", ",", ".,"]))
@example(
    body=["f,a,s,2026-11-23 10:11:11,1,F,1,x,n", "f,a,s,2026-11-23 10:11:11,1,F,1,x,n,c,d"],
    null_values=(),
    decimal_marks=".",
)
def test_converting_a_block_equals_converting_its_lines_one_by_one(
    body: list[str], null_values: tuple[str, ...], decimal_marks: str
) -> None:
    splitter, rules = splitter_and_rules(FieldMapping(null_values=null_values))
    rules = replace(rules, decimal_marks=decimal_marks)
    lines = LineBlock(("\n".join(body) + "\n").encode(), 2)
    split = splitter.split(lines, DecodedBody(io.BytesIO(), encoding="", max_bytes=1, is_cut_off=False))
    converted, rejected = convert_rows(split.raw_fields, rules, lines.text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "FEW_ROWS", 0)
        as_many, rejected_as_many = convert_rows(split.raw_fields, rules, lines.text)
    assert (as_many.rows(), rejected_as_many) == (converted.rows(), rejected)
    rejected = [each for each in rejected if not splitter.is_blank(each.raw)] + split.rejected
    rejected.sort(key=lambda each: each.row_number)
    exact, exactly_rejected = one_by_one(splitter, lines, rules)
    assert converted.rows() == exact
    assert [(each.row_number, each.reason.value) for each in rejected] == exactly_rejected
    assert [each.raw for each in rejected] == [lines.text(each.row_number) for each in rejected]


def parsed_in_blocks(data: bytes, block_bytes: int, *, is_cut_off: bool) -> Parsed:
    body = DecodedBody(io.BytesIO(data), encoding="", max_bytes=1 << 20, is_cut_off=is_cut_off)
    options = ParseOptions(mapping=FieldMapping(), received_at=RECEIVED_AT, block_bytes=block_bytes)
    return Parsed(list(parse_csv(body, options)))


@settings(max_examples=80, deadline=None)
@given(
    body=bodies,
    sizes=st.lists(st.integers(1, 400), min_size=3, max_size=3),
    encoding=st.sampled_from(["utf-8", "latin-1"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    is_cut_off=st.booleans(),
)
def test_block_boundaries_do_not_affect_the_result(
    body: list[str], sizes: list[int], encoding: str, ending: str, is_cut_off: bool
) -> None:
    data = ending.join([HEADER, *body]).encode(encoding, "replace")
    whole = parsed_in_blocks(data, 1 << 20, is_cut_off=is_cut_off)
    for size in sizes:
        parts = parsed_in_blocks(data, size, is_cut_off=is_cut_off)
        assert parts.rows == whole.rows
        assert parts.rejected == whole.rejected
        assert parts.is_cut_off == whole.is_cut_off
        assert parts.batches[-1].row_context == whole.batches[-1].row_context


def test_every_block_size_gives_the_same_result() -> None:
    row = "f,a,s,2026-11-23 10:11:11,{},F,1,x,n,é\r\n"
    odd = ['"Room", 5\r\n', "\r\n", row.format("ERR"), "Total: 2\r\n", row.format("3")[:-9]]
    data = "".join([HEADER, "\r\n", row.format("1"), row.format('"2"'), *odd]).encode()
    whole = parsed_in_blocks(data, 1 << 20, is_cut_off=False)
    assert len(whole.rows) == 2
    assert whole.is_cut_off
    for size in range(1, len(data)):
        parts = parsed_in_blocks(data, size, is_cut_off=False)
        assert (parts.rows, parts.rejected, parts.is_cut_off) == (whole.rows, whole.rejected, True)


json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
json_rows = st.fixed_dictionaries(
    {},
    optional={
        "facility_id": codes | st.none(),
        "unit_id": codes | json_values,
        "unit_name": names | st.none(),
        "temperature": st.floats(-400, 1200) | st.none() | numbers | json_values,
        "temperature_unit": scales | st.none(),
        "timestamp": instants | st.none(),
        "sensor_id": codes | st.none(),
        "size": st.none() | st.integers(0, 1000) | st.floats(0, 1000),
        "quality_score": st.none() | st.floats(0, 1.1) | st.integers(0, 1),
        "city": names | st.none(),
    },
).map(lambda members: json_row(**members))
default_rows = st.fixed_dictionaries(
    {
        "unit_id": st.sampled_from(["a", "b", ""]),
        "temperature": st.floats(-300, 1100) | st.none(),
        "timestamp": instants,
    },
    optional={
        "quality_score": st.none() | st.floats(0, 1.1),
        "temperature_unit": st.sampled_from(["C", "F", "R", None]),
    },
).map(lambda members: json_row(**members))


@settings(max_examples=150, deadline=None)
@given(sent=st.lists(default_rows, min_size=1, max_size=6) | st.lists(json_rows, min_size=1, max_size=6))
def test_the_json_fast_path_equals_the_walker(sent: list[dict[str, object]]) -> None:
    fast, by_walker = parse(json_body(*sent)), parse(json_body(*sent, unusual=True))
    assert fast.rows == by_walker.rows
    assert fast.rejected == by_walker.rejected
    assert fast.units == by_walker.units


@pytest.mark.parametrize("joined_rows", [1, 3, 100])
def test_the_boundaries_of_windows_and_batches_do_not_affect_the_result_of_json(
    joined_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [f"2026-11-23T10:{minute:02}:00" for minute in range(12)]
    sent = [json_row(timestamp=time, unit_id=f"unit_{number % 3}") for number, time in enumerate(times)]
    sent[4]["equipment_status"] = "defrost"
    sent[6]["temperature"] = "warm"
    sent[9]["temperature_unit"] = "R"
    body = json_body(*sent)
    whole = parse(body)
    monkeypatch.setattr(text, "_WINDOW_BYTES", 1_000)
    monkeypatch.setattr(json_parsing, "_JOINED_ROWS", joined_rows)

    parts = parse(body)

    assert parts.rows == whole.rows
    assert parts.rejected == whole.rejected
    assert [each.row_number for each in parts.rejected] == [7, 10]
    assert [json.loads(each.raw)["timestamp"] for each in parts.rejected] == [times[6], times[9]]
    assert parts.units == whole.units


def test_windows_are_joined_to_few_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json_body(*(json_row(timestamp=f"2026-11-23T10:{minute:02}:00") for minute in range(60)))
    monkeypatch.setattr(text, "_WINDOW_BYTES", 1_000)

    assert [len(batch.readings) for batch in parse(body).batches if len(batch.readings)] == [60]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_delimiter_has_a_fast_path(delimiter: str) -> None:
    splitter = LineSplitter(parse_header([HEADER.replace(",", delimiter)], 0, FieldMapping()), {}, filter_position=None)
    row = "f,a,s,2026-11-23 10:11:11,1.5,F,1,x,n,c\n".replace(",", delimiter)
    assert splitter.is_plain(LineBlock(row.encode() * 3, 2))
    assert not splitter.is_plain(LineBlock((row + row.replace("x", '"x"')).encode(), 2))
    assert not splitter.is_plain(LineBlock((row + row.replace("x", "\x01")).encode(), 2))
