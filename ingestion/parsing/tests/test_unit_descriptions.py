"""The descriptions of units in their rows."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.parsing import unit_descriptions
from ingestion.parsing.fields.names import UNIT_ATTRIBUTES
from ingestion.parsing.unit_descriptions import describe_units
from ingestion.parsing.values.rules import RowRules

COLUMNS = ("facility_code", "unit_code", "scale", *UNIT_ATTRIBUTES)
texts = st.sampled_from(["", "", "1", "2"])
rows_of_units = st.lists(
    st.tuples(st.sampled_from([None, "north"]), st.sampled_from("ab"), st.sampled_from("CF"), *[texts] * 7), max_size=12
)


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
