"""Fixtures of the site's tests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from temperature_site.health.views import latest_report


@pytest.fixture
def uncached_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the health checks in this test instead of reusing the previous report.

    Entries of the audit trail that were written when the test database was created are not reported as unchained,
    however long ago that was.
    """
    monkeypatch.setattr(latest_report, "_cached", None)
    monkeypatch.setattr("seals.sealing.CHAINED_WITHIN", timedelta(days=1))
