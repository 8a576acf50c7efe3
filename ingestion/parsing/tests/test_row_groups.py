"""The groups of a batch's rows, and the descriptions of its units: few rows are treated like many."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.parsing import row_groups as grouping
from ingestion.parsing import unit_descriptions
from ingestion.parsing.fields.names import UNIT_ATTRIBUTES
from ingestion.parsing.row_groups import Codes, row_groups
from ingestion.parsing.unit_descriptions import describe_units
from ingestion.parsing.values.rules import RowRules

codes = st.builds(
    Codes,
    st.sampled_from([None, "", "north"]),
    st.sampled_from(["a", "b", "A"]),
    st.sampled_from(["", "a"]),
    st.sampled_from(["normal", "error"]),
    st.sampled_from(["C", "F"]),
)
COLUMNS = ("facility_code", "unit_code", "scale", *UNIT_ATTRIBUTES)
texts = st.sampled_from(["", "", "1", "2"])
rows_of_units = st.lists(
    st.tuples(st.sampled_from([None, "north"]), st.sampled_from("ab"), st.sampled_from("CF"), *[texts] * 7), max_size=12
)


@pytest.mark.parametrize("few", [0, 1_000])
def test_each_row_is_in_the_group_of_its_codes_and_groups_are_in_order(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "FEW_ROWS", few)

    @given(st.lists(codes, max_size=40))
    def group(rows: list[Codes]) -> None:
        readings = pl.DataFrame(rows, schema=dict.fromkeys(Codes._fields, pl.String), orient="row")
        groups = row_groups(readings)
        assert [groups.codes[number] for number in groups.of_rows] == rows
        assert groups.codes == list(dict.fromkeys(rows))
        assert groups.sensor_keys == list(dict.fromkeys(row[:3] for row in rows))
        assert groups.statuses == {row.equipment_status for row in rows}

    group()


def test_few_rows_are_described_like_many() -> None:
    @given(rows_of_units)
    def compare(rows: list[tuple[str | None, ...]]) -> None:
        frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
        few = describe_units(frame, RowRules())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unit_descriptions, "FEW_ROWS", 0)
            many = describe_units(frame, RowRules())
        assert list(few.items()) == list(many.items())

    compare()


def test_the_last_value_that_is_given_describes_a_unit() -> None:
    rows = [
        ("north", "a", "C", "Old", "", "Oxford", "", "5", "", ""),
        ("north", "a", "F", "New", "", "", "", "", "", ""),
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    [unit] = describe_units(frame, RowRules()).values()
    assert (unit.unit_name, unit.city, unit.set_temperature, unit.temperature_unit) == ("New", "Oxford", 5.0, "F")
    assert (unit.facility_name, unit.country, unit.size_value, unit.size_unit) == (None, None, None, None)
