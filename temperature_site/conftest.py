"""Fixtures of the site's tests."""

from __future__ import annotations

import pytest

from temperature_site.health.views import latest_report


@pytest.fixture
def uncached_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the health checks in this test instead of reusing the previous report."""
    monkeypatch.setattr(latest_report, "_cached", None)
