"""When to retry after a failure: exponential backoff with jitter, and the server's `Retry-After`."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

MAX_RETRY_AFTER_SECONDS = 24 * 3600


def retry_after_seconds(written: str | None, now: datetime) -> int | None:
    """Return the wait that a Retry-After header requests, in seconds from 0 to a day; None if it requests none."""
    text = (written or "").strip()
    if text.isascii() and text.isdigit():
        # Longer numbers are above the limit anyway, and may be too long for int().
        return min(int(text[:9]) if len(text) <= 9 else MAX_RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS)
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)  # what "-0000" parses to
    wait = (instant - now).total_seconds()
    return int(min(max(wait, 0), MAX_RETRY_AFTER_SECONDS))


FIRST_RETRY_SECONDS = 15.0
CAP_SECONDS = 3_600.0
# Further doublings exceed any cap; after years of failures they would overflow.
_MAX_DOUBLINGS = 32


def backoff_seconds(
    failures: int,
    *,
    random: Random,
    first_seconds: float = FIRST_RETRY_SECONDS,
    retry_after_seconds: int | None = None,
) -> float:
    """Return the seconds to wait after the nth failure in a row, n being 1 or more.

    min(cap, first · 2^(n−1)) · uniform(0.75, 1.25): on average 15, 30, 60, 120, 240, 480, 960, 1920 and, from the ninth
    on, 3600 seconds by default; the first eight take about 64 minutes. `retry_after_seconds` is the server's own
    minimum, at most a day. Up to a quarter is added to it at random, because many clients may have received the same
    value.
    """
    if failures < 1:
        raise ValueError("The number of failures must be at least 1.")
    doublings = min(failures - 1, _MAX_DOUBLINGS)
    wait: float = min(CAP_SECONDS, first_seconds * 2**doublings) * random.uniform(0.75, 1.25)
    if retry_after_seconds is None:
        return wait
    minimum = min(max(retry_after_seconds, 0), MAX_RETRY_AFTER_SECONDS)
    return max(wait, minimum * random.uniform(1.0, 1.25))
