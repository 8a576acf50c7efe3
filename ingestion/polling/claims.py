"""Claim sources for polling, pause and resume them, and determine when they are due next.

`core.leases` describes claims. Every source has its own grid of due times: the instants `epoch + offset + k × interval`
for whole k. The offset is a fraction of the interval that depends only on the source's id. Therefore

- a late poll does not delay the following ones (no drift),
- sources with the same interval are due evenly throughout it, also after a restart (no stampede),
- after an outage one poll is due, not one per missed slot (no backlog).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from django.db.models import QuerySet

from core.db import clock
from core.leases import MAX_INTERRUPTED, Claim, ClaimLost, LeasedTable
from ingestion.models import Source, SourceFile

# The rest is left to the next tick, seconds later.
CLAIMS_PER_TICK = 1_000
# Sources that failed or took this long are polled through a queue of their own.
SLOW_SECONDS = 5.0
_APPLIED_AT_ONCE = {"url", "interval_seconds", "credentials_kind", "credentials_name", "credentials_secret"}

source_leases = LeasedTable(
    model=Source,
    lease_setting="POLL_LEASE_SECONDS",
    due_column="next_due_at",
    joins="JOIN customer ON customer.id = source.customer_id",
    # The poll after the last one that was interrupted tells why there are no further ones.
    condition=f"NOT is_paused AND url <> '' AND customer.is_active AND polls_begun <= {MAX_INTERRUPTED}",
    is_slow="failures_in_a_row > 0 OR polls_begun > 0 OR coalesce(last_duration_seconds, 0) >= %(slow_seconds)s",
    slow_seconds=SLOW_SECONDS,
    begun_column="polls_begun",
)


def claim_due(now: datetime | None = None) -> list[Claim]:
    """Claim the sources that are due, longest overdue first."""
    return source_leases.claim_due(limit=CLAIMS_PER_TICK, now=now)


def claim_now(source: Source) -> Claim:
    """Claim `source`, due or not, unless a poll is running. Raise ClaimLost."""
    claim = source_leases.claim(source.pk)
    if claim is None:
        raise ClaimLost(f"{source} is being polled. Try again when that poll has finished.")
    Source.objects.filter(pk=source.pk).update(polls_begun=0)
    _let_files_be_read_again(Source.objects.filter(pk=source.pk))
    return claim


def poll_now(sources: QuerySet[Source]) -> int:
    """Make these sources due at once for the next tick; return how many can be polled."""
    polled = sources.filter(is_paused=False).exclude(url="")
    _let_files_be_read_again(polled)
    return polled.update(next_due_at=clock.database_now(), polls_begun=0)


def why_not_polled(source: Source) -> str:
    """Say why `poll_now` has not made the source due."""
    return "Resume the source to poll it." if source.url else "The source has no URL to poll."


def apply_changes(source: Source, changed: Collection[str]) -> None:
    """Make a changed source due at once if it fails, or if it must not wait for its next slot with the former settings.

    What was changed may be what fixes a failing source, or files of it that fail, whatever it is. The next poll reads
    another description of the structure.
    """
    own = Source.objects.filter(pk=source.pk)
    if "structure_url" in changed:
        own.update(structure_read_at=None)
    if source.failures_in_a_row or not _APPLIED_AT_ONCE.isdisjoint(changed):
        poll_now(own)
    else:
        SourceFile.objects.filter(source=source, state=SourceFile.State.FAILED).update(retry_at=None)


def _let_files_be_read_again(sources: QuerySet[Source]) -> None:
    """Let files that have failed or ended their workers be read by the next poll."""
    files = SourceFile.objects.filter(source__in=sources.values("pk"))
    left_or_failed = files.filter(state__in=[SourceFile.State.LEFT, SourceFile.State.FAILED])
    left_or_failed.update(state=SourceFile.State.SEEN, reads_begun=0, retry_at=None)


def pause(sources: QuerySet[Source]) -> int:
    """Pause these sources; return how many were not paused. A running poll loses its claim and is not logged."""
    return sources.filter(is_paused=False).update(is_paused=True, claim_id=None, lease_until=None)


def resume(sources: QuerySet[Source]) -> int:
    """Resume these sources, due at once; return how many were paused."""
    return sources.filter(is_paused=True).update(is_paused=False, next_due_at=clock.database_now(), polls_begun=0)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def next_due(source_id: int, interval_seconds: int, after: datetime) -> datetime:
    """Return the first instant of the source's grid strictly after `after`, in UTC: at most one interval later.

    Raise ValueError for a naive `after` or an interval under a second.
    """
    if after.tzinfo is None:
        raise ValueError("The instant must be aware.")
    if interval_seconds < 1:
        raise ValueError("The interval must be at least a second.")
    interval = interval_seconds * 1_000_000
    offset = _share_of(source_id, interval)
    slots_gone = ((after - _EPOCH) // _MICROSECOND - offset) // interval
    return _EPOCH + timedelta(microseconds=offset + (slots_gone + 1) * interval)


def _share_of(source_id: int, interval: int) -> int:
    """Return a number from 0 to below `interval`, always the same fraction of it for one source."""
    # Not hash(): consecutive ids would be due right after each other.
    digest = blake2b(str(source_id).encode("ascii"), digest_size=8, person=b"polling grid").digest()
    return int.from_bytes(digest, "big") * interval >> 64
