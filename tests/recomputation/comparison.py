"""Compare computed metrics with expected ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recomputation import definition
from tests.recomputation.fleets import Fleet

API = "/api/v1"


def close(expected: float | None, decimals: int | None = None) -> Any:
    """Return what equals `expected` up to a relative 1e-9, or up to the API's rounding."""
    if expected is None:
        return None
    return pytest.approx(expected, rel=1e-9, abs=1e-12 if decimals is None else 0.6 * 10**-decimals)


def temperature(expected_c: float | None, scale: str) -> Any:
    return close(definition.on_scale(expected_c, scale), 6)


def ask(fleet: Fleet, path: str, **query: Any) -> Any:
    response = fleet.client.get(f"{API}/{path}", query)
    assert response.status_code == 200, response.content
    return response.json()
