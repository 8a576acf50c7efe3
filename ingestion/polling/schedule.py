"""When a source is polled next. Pure arithmetic; the caller stores the result.

Every source has a grid of its own: the instants `epoch + offset + k × interval` for whole k. The offset is a share of
the interval that depends on nothing but the source's id, so that

- a poll that runs late does not move the following ones (no drift),
- sources with one interval are due evenly over it, after a restart as well (no stampede),
- an outage leaves one poll behind, not one for every slot it covered (no backlog).
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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


def _share_of(source_id: int, interval: int) -> int:
    """Return a number from 0 to below `interval`, the same share of every interval for the same source."""
    # Not hash(): ids in sequence would be due in sequence, in one bunch.
    digest = blake2b(str(source_id).encode("ascii"), digest_size=8, person=b"polling grid").digest()
    return int.from_bytes(digest, "big") * interval >> 64
