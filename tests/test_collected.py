"""The comparison with the ledger finds every difference."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.collected import NONE_AT_ALL, Account, Difference, difference

FIRST, LAST = datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 23, 11, tzinfo=UTC)
FREEZER = ("A", "freezer")
DUE = Account(count=3, nulls=1, sum_thousandths=-60_120, first=FIRST, last=LAST)


def test_equal_accounts_have_no_difference() -> None:
    assert difference({FREEZER: DUE}, {FREEZER: DUE}) == NONE_AT_ALL


def test_absent_rows_are_missing() -> None:
    assert difference({FREEZER: DUE._replace(count=1)}, {FREEZER: DUE}) == Difference(2, 0, 0)
    assert difference({}, {FREEZER: DUE}) == Difference(3, 0, 0)


def test_surplus_rows_are_extra_and_do_not_offset_missing_ones() -> None:
    held = {FREEZER: DUE._replace(count=4), ("A", "fridge"): DUE._replace(count=2)}
    assert difference(held, {FREEZER: DUE, ("A", "fridge"): DUE}) == Difference(1, 1, 0)
    assert difference({FREEZER: DUE}, {}) == Difference(0, 3, 0)


def test_a_unit_whose_rows_read_otherwise_is_changed() -> None:
    for change in ({"nulls": 0}, {"sum_thousandths": -60_121}, {"first": LAST}, {"last": FIRST}):
        assert difference({FREEZER: DUE._replace(**change)}, {FREEZER: DUE}) == Difference(0, 0, 1)
