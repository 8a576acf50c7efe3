"""When a message that could not be delivered is tried again. Pure arithmetic; the caller stores the result."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

FIRST_RETRY_SECONDS = 15.0
CAP_SECONDS = 3_600.0
GIVE_UP_AFTER = timedelta(days=3)
# Doubling beyond this has passed the cap long since.
_MAX_DOUBLINGS = 16


def retry_seconds(attempts: int, *, random: Random, retry_after_seconds: int | None = None) -> float:
    """How long to wait after the k-th failed attempt, k being 1 or more, in seconds.

    min(3600, 15 · 2^(k−1)) · uniform(0.75, 1.25): on average 15, 30, 60, 120, 240, 480, 960, 1920 and from the ninth on
    3600 seconds. The first eight take about 64 minutes, so that three days hold some 79 attempts.
    `retry_after_seconds` is the least to wait when the receiver said so, spread by up to a quarter more.
    """
    if attempts < 1:
        raise ValueError("Only a failed attempt is waited after.")
    wait = min(CAP_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(attempts - 1, _MAX_DOUBLINGS)) * random.uniform(0.75, 1.25)
    if retry_after_seconds is None:
        return wait
    return max(wait, retry_after_seconds * random.uniform(1.0, 1.25))


def next_attempt(
    attempts: int, now: datetime, tried_since: datetime, *, random: Random, retry_after_seconds: int | None = None
) -> datetime | None:
    """When the next attempt is due after the `attempts`-th failed at `now`; None: three days are over, it is dead."""
    wait = retry_seconds(attempts, random=random, retry_after_seconds=retry_after_seconds)
    due_at = now + timedelta(seconds=wait)
    return due_at if due_at <= tried_since + GIVE_UP_AFTER else None
