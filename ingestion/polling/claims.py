"""Claim sources for polling, pause and resume them. `core.leases` says how claims work."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from core.leases import Claim, ClaimLost, LeasedTable
from ingestion.models import Source

# More than this many are left to the next tick, which is seconds away.
CLAIMS_PER_TICK = 1_000
# A source that failed or took this long waits in a queue of its own, where it delays only its like.
SLOW_SECONDS = 5.0

source_leases = LeasedTable(
    model=Source,
    lease_setting="POLL_LEASE_SECONDS",
    due_column="next_due_at",
    joins="JOIN customer ON customer.id = source.customer_id",
    condition="NOT is_paused AND url <> '' AND customer.is_active",
    is_slow="failures_in_a_row > 0 OR coalesce(last_duration_seconds, 0) >= %(slow_seconds)s",
    slow_seconds=SLOW_SECONDS,
)


def claim_due(now: datetime | None = None) -> list[Claim]:
    """Claim the sources that are due, longest overdue first."""
    return source_leases.claim_due(limit=CLAIMS_PER_TICK, now=now)


def claim_now(source: Source) -> Claim:
    """Claim `source`, due or not, unless a poll is running. Raise ClaimLost."""
    claim = source_leases.claim(source.pk)
    if claim is None:
        raise ClaimLost(f"{source} is being polled; try again when that poll is done.")
    return claim


def poll_now(sources: QuerySet[Source]) -> int:
    """Make these sources due at once for the next tick; return how many can be polled."""
    return sources.filter(is_paused=False).exclude(url="").update(next_due_at=timezone.now())


def pause(sources: QuerySet[Source]) -> int:
    """Pause these sources; return how many were running. A poll under way loses its claim and is not logged."""
    return sources.filter(is_paused=False).update(is_paused=True, claim_id=None, lease_until=None)


def resume(sources: QuerySet[Source]) -> int:
    """Resume these sources, due at once; return how many were paused."""
    return sources.filter(is_paused=True).update(is_paused=False, next_due_at=timezone.now())
