"""Work on many items: those that fail are found, and what the others did stays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from hypothesis import given
from hypothesis import strategies as st

from core.db.savepoints import divided
from customers.models import Customer
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


def test_only_items_that_fail_alone_are_recorded() -> None:
    @given(st.lists(st.integers(0, 40), unique=True), st.sets(st.integers(0, 40)))
    def divide(items: list[int], failing: set[int]) -> None:
        recorded: list[int] = []

        def work(part: Sequence[int]) -> int:
            if failing.intersection(part):
                raise ValueError(part)
            return len(part)

        results = divided(items, work, lambda part, error: recorded.extend(part))
        assert recorded == [item for item in items if item in failing]
        assert sum(results) == len(items) - len(recorded)

    divide()


def test_what_a_failed_part_wrote_is_undone_and_done_again_without_the_failing_item() -> None:
    def work(names: Sequence[str]) -> None:
        for name in names:
            CustomerFactory(name=name)
        if "bad" in names:
            raise ValueError(names)

    failed: list[str] = []
    divided(["a", "b", "bad", "c"], work, lambda names, _: failed.extend(names))
    assert failed == ["bad"]
    assert sorted(Customer.objects.values_list("name", flat=True)) == ["a", "b", "c"]


def test_after_the_soft_time_limit_all_that_are_left_are_recorded() -> None:
    def work(items: Sequence[int]) -> None:
        raise SoftTimeLimitExceeded

    recorded: list[Sequence[int]] = []
    assert divided([1, 2, 3], work, lambda items, _: recorded.append(items)) == []
    assert recorded == [[1, 2, 3]]
