"""When to retry after a failure: exponential backoff with jitter, and the server's `Retry-After`."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

MAX_RETRY_AFTER_SECONDS = 24 * 3600


def retry_after_seconds(written: str | None, now: datetime) -> int | None:
    """Return the wait that a Retry-After header asks for, in seconds from 0 to a day; None when it asks for none."""
    text = (written or "").strip()
    if text.isascii() and text.isdigit():
        # A number longer than this is past the cap anyway, and may be too long for int().
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
    wait: float = min(CAP_SECONDS, first_seconds * 2**doublings) * random.uniform(0.75, 1.25)
    if retry_after_seconds is None:
        return wait
    minimum = min(max(retry_after_seconds, 0), MAX_RETRY_AFTER_SECONDS)
    return max(wait, minimum * random.uniform(1.0, 1.25))
