"""Any body gives batches or UnreadableBody, and every row is either a reading or rejected."""

from __future__ import annotations

import contextlib
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ingestion.parsing.results import READING_SCHEMA, UnreadableBody
from ingestion.parsing.tests.parsing import csv_body, csv_row, json_body, json_row, parse, unreadable
from ingestion.sources.mapping import FieldMapping

mappings = st.sampled_from(
    [
        FieldMapping(),
        FieldMapping(skip_until_header=True, time_zone="Europe/London", null_values=("ERR", "-999")),
        FieldMapping(delimiter=";", decimal_mark=",", encoding="cp1252"),
        FieldMapping(encoding="utf-16", time_format="%d.%m.%Y %H:%M"),
        FieldMapping(readings_path="a.b", unit_field="c.d", time_field="=received", scale="K"),
    ]
)
sound = [
    csv_body(csv_row(), csv_row(unit_name='"a, b"'), csv_row(temperature="")).encode(),
    csv_body(csv_row()).replace(",", ";").encode("utf-16"),
    json_body(json_row(), json_row(temperature=None)).encode(),
    json_body(json_row(), more=[{"a": "é"}]).encode(),
    b'{"storage_room": "Deep Freeze 1", "temp": 0, "degrees": "F"}\n' * 2,
    "Serial: 1\nTime,Temp °F\n25/10/2026 01:30,1\n25/10/2026 01:30,2\n".encode(),
    gzip.compress(csv_body(csv_row(), csv_row()).encode()),
]


@st.composite
def damaged(draw: DrawFn) -> bytes:
    """Return a valid body in which some bytes were replaced, removed or inserted."""
    data = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(0, 4))):
        position = draw(st.integers(0, len(data)))
        data[position : position + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=3) | st.sampled_from([b"\n", b",", b'"'])
        )
    return bytes(data)


@settings(max_examples=250, deadline=None)
@given(
    body=damaged() | st.binary(max_size=60),
    mapping=mappings,
    content_type=st.sampled_from(["", "application/json", "text/csv", "application/x-ndjson"]),
    is_cut_off=st.booleans(),
    file_name=st.sampled_from(["", "Freezer 1.csv"]),
)
def test_any_body_gives_batches_or_unreadable_body(
    body: bytes, mapping: FieldMapping, content_type: str, is_cut_off: bool, file_name: str
) -> None:
    with contextlib.suppress(UnreadableBody):
        parsed = parse(body, mapping, content_type=content_type, is_cut_off=is_cut_off, file_name=file_name)
        assert dict(parsed.readings.schema) == READING_SCHEMA
        assert parsed.is_cut_off or not is_cut_off
        read = parsed.readings.select("row_number", "sensor_code").rows()
        numbers = read + [(rejection.row_number, rejection.message) for rejection in parsed.rejected]
        assert len(set(numbers)) == len(numbers)
        for batch in parsed.batches:
            assert set(batch.readings.select("facility_code", "unit_code").unique().rows()) == set(batch.units)
            assert all(isinstance(batch.raw_row(number), str) for number in batch.readings["row_number"])


READING = {"temperature": 4.5, "timestamp": "2026-11-23T10:00:00"}


@pytest.mark.parametrize("around", ["data", "rooms"])
def test_an_object_with_too_many_members_is_refused_wherever_it_is(around: str) -> None:
    most = {f"room_{number}": READING for number in range(10_001)}

    failure = unreadable(json.dumps({around: most}))

    assert failure.reason == "too_large"
    assert "an object in it has more than 10,000 members" in failure.message


def test_rows_with_too_many_sets_of_names_are_refused() -> None:
    rows = [READING | {f"further_{number}": 1} for number in range(5_001)]

    failure = unreadable(json.dumps(rows))

    assert failure.reason == "too_large"
    assert "more than 5,000 different sets of names" in failure.message


def test_rows_with_too_many_names_in_different_sets_are_refused() -> None:
    rows = [READING | {f"further_{number}_{name}": 1 for name in range(1_000)} for number in range(200)]

    failure = unreadable(json.dumps(rows))

    assert failure.reason == "too_large"
    assert "the different sets of names of its rows have more than 200,000 names" in failure.message


def test_rows_with_many_sets_of_the_same_names_are_read() -> None:
    """Twelve optional members make 4,096 sets."""
    names = [f"further_{number}" for number in range(12)]
    rows = [
        READING | {"unit_id": "F1", "timestamp": 1_795_428_000 + number}
        | {name: 1 for place, name in enumerate(names) if number >> place & 1}
        for number in range(4_096)
    ]  # fmt: skip

    parsed = parse(json.dumps(rows))

    assert len(parsed.readings) == 4_096
    assert parsed.rejected == []
