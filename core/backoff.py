"""Exponential backoff with jitter: when to retry after a failure. Pure arithmetic; the caller stores the result."""

from __future__ import annotations

from random import Random

from core.http.retry_after import MAX_RETRY_AFTER_SECONDS

FIRST_RETRY_SECONDS = 15.0
CAP_SECONDS = 3_600.0
# Doubling beyond this passes any cap, and keeps years of failures from overflowing.
_MAX_DOUBLINGS = 32


def backoff_seconds(
    failures: int,
    *,
    random: Random,
    first_seconds: float = FIRST_RETRY_SECONDS,
    retry_after_seconds: int | None = None,
) -> float:
    """Return the seconds to wait after the k-th failure in a row, k being 1 or more.

    min(cap, first · 2^(k−1)) · uniform(0.75, 1.25): by default on average 15, 30, 60, 120, 240, 480, 960, 1920 and from
    the ninth on 3600 seconds; the first eight take about 64 minutes. `retry_after_seconds` is the server's own minimum,
    at most a day, with up to a quarter added at random: many clients may have received the same value.
    """
    if failures < 1:
        raise ValueError("The number of failures must be at least 1.")
    doublings = min(failures - 1, _MAX_DOUBLINGS)
    wait = min(CAP_SECONDS, first_seconds * 2**doublings) * random.uniform(0.75, 1.25)
    if retry_after_seconds is None:
        return wait
    minimum = min(max(retry_after_seconds, 0), MAX_RETRY_AFTER_SECONDS)
    return max(wait, minimum * random.uniform(1.0, 1.25))
