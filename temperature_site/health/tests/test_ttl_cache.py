"""A cached value is computed again after its time, and not before."""

from __future__ import annotations

import time

import pytest

from temperature_site.health import views


def test_a_value_is_cached_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    answers = iter([1, 2])
    value = views.TtlCache(lambda: next(answers), seconds=2)

    assert [value.value(), value.value()] == [1, 1]
    now = 102.1
    assert value.value() == 2
