"""When a source is polled next. Pure arithmetic; the caller stores the result.

Every source has a grid of its own: the instants `epoch + offset + k × interval` for whole k. The offset is a share of
the interval that depends on nothing but the source's id, so that

- a poll that runs late does not move the following ones (no drift),
- sources with one interval are due evenly over it, after a restart as well (no stampede),
- an outage leaves one poll behind, not one for every slot it covered (no backlog).
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from random import Random

MAX_RETRY_AFTER_SECONDS = 24 * 3600
FIRST_RETRY_SECONDS = 15.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Doubling beyond this passes any cap, and keeps a source that failed for years out of huge numbers.
_MAX_DOUBLINGS = 32


def next_due(source_id: int, interval_seconds: int, after: datetime) -> datetime:
    """Return the first instant of the source's grid strictly after `after`, in UTC: at most one interval later.

    Raise ValueError for a naive `after` or an interval under a second.
    """
    if after.tzinfo is None:
        raise ValueError("The instant must be aware.")
    if interval_seconds < 1:
        raise ValueError("The interval must be a second at least.")
    interval = interval_seconds * 1_000_000
    offset = _share_of(source_id, interval)
    slots_gone = ((after - _EPOCH) // _MICROSECOND - offset) // interval
    return _EPOCH + timedelta(microseconds=offset + (slots_gone + 1) * interval)


def backoff_seconds(
    failures_in_a_row: int,
    interval_seconds: float,
    cap_seconds: float = 3600,
    *,
    random: Random,
    retry_after_seconds: int | None = None,
) -> float:
    """Return how long to wait after the k-th failure in a row, k being 1 or more, in seconds.

    min(cap, first · 2^(k−1)) · uniform(0.75, 1.25), where first is the interval, but 15 s at most: a passing fault
    should not cost a source of long intervals a whole one. With the default cap of an hour that is on average 15, 30,
    60, 120, ... seconds, and an hour from the ninth failure on. `retry_after_seconds` is the least to
    wait when the server said so, taken for a day at most, and also spread, by up to a quarter more: many sources
    may be told the same.
    """
    if failures_in_a_row < 1:
        raise ValueError("Only a failure is backed off from.")
    doublings = min(failures_in_a_row - 1, _MAX_DOUBLINGS)
    wait = min(cap_seconds, min(interval_seconds, FIRST_RETRY_SECONDS) * 2**doublings) * random.uniform(0.75, 1.25)
    if retry_after_seconds is None:
        return wait
    asked_for = min(max(retry_after_seconds, 0), MAX_RETRY_AFTER_SECONDS)
    return max(wait, asked_for * random.uniform(1.0, 1.25))


def _share_of(source_id: int, interval: int) -> int:
    """Return a number from 0 to below `interval`, the same share of every interval for the same source."""
    # Not hash(): ids in sequence would be due in sequence, in one bunch.
    digest = blake2b(str(source_id).encode("ascii"), digest_size=8, person=b"polling grid").digest()
    return int.from_bytes(digest, "big") * interval >> 64
