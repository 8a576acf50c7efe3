"""Helpers for tests of fetching: limits, the loopback network, and requests to a scripted server."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from ingestion.polling.fetch import FetchFailure, FetchLimits, fetch

LOOPBACK = [ip_network("127.0.0.0/8")]
PATIENT = FetchLimits(connect_seconds=5, read_seconds=5, total_seconds=10, max_bytes=1_000_000)
HASTY = FetchLimits(connect_seconds=0.3, read_seconds=0.3, total_seconds=0.3, max_bytes=1_000_000)


def get(url: str, *, limits: FetchLimits = PATIENT, allowed_networks: Any = LOOPBACK, **options: Any) -> Any:
    return fetch(url, limits=limits, allowed_networks=allowed_networks, **options)


def failure_of(url: str, **options: Any) -> FetchFailure:
    with pytest.raises(FetchFailure) as caught:
        get(url, **options)
    return caught.value
