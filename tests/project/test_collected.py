"""The comparison with the ledger finds every difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.collected import NONE_AT_ALL, Account, Difference, difference

FIRST, LAST = datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 23, 11, tzinfo=UTC)
FREEZER = ("A", "freezer")
DUE = Account(count=3, nulls=1, sum_thousandths=-60_120, first=FIRST, last=LAST)


def test_equal_accounts_have_no_difference() -> None:
    assert difference({FREEZER: DUE}, {FREEZER: DUE}) == NONE_AT_ALL


def test_absent_rows_are_missing() -> None:
    assert difference({FREEZER: replace(DUE, count=1)}, {FREEZER: DUE}) == Difference(2, 0, 0)
    assert difference({}, {FREEZER: DUE}) == Difference(3, 0, 0)


def test_surplus_rows_are_extra_and_do_not_offset_missing_ones() -> None:
    held = {FREEZER: replace(DUE, count=4), ("A", "fridge"): replace(DUE, count=2)}
    assert difference(held, {FREEZER: DUE, ("A", "fridge"): DUE}) == Difference(1, 1, 0)
    assert difference({FREEZER: DUE}, {}) == Difference(0, 3, 0)


def test_a_unit_whose_rows_read_otherwise_is_changed() -> None:
    changes: tuple[dict[str, Any], ...] = ({"nulls": 0}, {"sum_thousandths": -60_121}, {"first": LAST}, {"last": FIRST})
    for change in changes:
        assert difference({FREEZER: replace(DUE, **change)}, {FREEZER: DUE}) == Difference(0, 0, 1)
