"""The groups of a batch's rows."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.parsing import row_groups as grouping
from ingestion.parsing.row_groups import Codes, row_groups

codes = st.builds(
    Codes,
    st.sampled_from([None, "", "north"]),
    st.sampled_from(["a", "b", "A"]),
    st.sampled_from(["", "a"]),
    st.sampled_from(["normal", "error"]),
    st.sampled_from(["C", "F"]),
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
