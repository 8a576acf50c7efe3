"""Which sources are due, and who polls them.

A claim is one conditional UPDATE: it gives a due source a claim id and a lease. The message to a worker carries both
ids; a worker whose claim id is no longer the source's own does nothing. A lost message or a killed worker leaves a
lease that runs out, after which the next tick claims the source again. Two beats, or a message twice, are harmless.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from ingestion.models import Source

# More than this many are left to the next tick, which is seconds away.
CLAIMS_A_TICK = 1_000
# A source that failed or took this long waits in a queue of its own, where it delays only its like.
SLOW_SECONDS = 5.0

CLAIM_DUE = """
UPDATE source SET claim_id = gen_random_uuid(), lease_until = %(lease_until)s
WHERE id IN (
    SELECT source.id FROM source JOIN customer ON customer.id = source.customer_id
    WHERE next_due_at <= %(now)s AND (lease_until IS NULL OR lease_until <= %(now)s)
        AND NOT is_paused AND url <> '' AND customer.is_active
    ORDER BY next_due_at LIMIT %(most)s
    FOR NO KEY UPDATE OF source SKIP LOCKED
)
RETURNING id, claim_id, failures_in_a_row > 0 OR last_duration_seconds >= %(slow_seconds)s
"""


class ClaimLost(Exception):  # noqa: N818  an expected outcome: another poll of this source has taken over
    """The source was claimed anew, paused or deleted since this poll's claim was made."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to poll a source until the lease runs out."""

    source_id: int
    claim_id: uuid.UUID
    is_slow: bool = False


def claim_due(now: datetime | None = None) -> list[Claim]:
    """Claim the sources that are due, the longest due first."""
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM_DUE,
            {"now": now, "lease_until": now + _lease(), "most": CLAIMS_A_TICK, "slow_seconds": SLOW_SECONDS},
        )
        return [Claim(*row) for row in cursor.fetchall()]


def claim_now(source: Source) -> Claim:
    """Claim `source` whether it is due or not, unless a poll is under way. Raises ClaimLost."""
    now = timezone.now()
    claim = Claim(source.pk, uuid.uuid4())
    free = Source.objects.filter(pk=source.pk).exclude(lease_until__gt=now)
    if not free.update(claim_id=claim.claim_id, lease_until=now + _lease()):
        raise ClaimLost(f"{source} is being polled; try again when that poll is done.")
    return claim


@contextmanager
def held(claim: Claim) -> Iterator[Source]:
    """A transaction in which `claim` can't be lost, with its source, locked. Raises ClaimLost."""
    with transaction.atomic():
        try:
            source = Source.objects.select_for_update(of=("self",), no_key=True).get(
                pk=claim.source_id, claim_id=claim.claim_id
            )
        except Source.DoesNotExist as error:
            raise ClaimLost(f"Source {claim.source_id} is no longer claimed by {claim.claim_id}.") from error
        yield source


def poll_now(sources: QuerySet[Source]) -> int:
    """Make these sources due at once; the next tick sends them. Return how many can be polled."""
    return sources.filter(is_paused=False).exclude(url="").update(next_due_at=timezone.now())


def pause(sources: QuerySet[Source]) -> int:
    """Let these sources rest; return how many did not rest already. A poll under way is not logged any more."""
    return sources.filter(is_paused=False).update(is_paused=True, claim_id=None, lease_until=None)


def resume(sources: QuerySet[Source]) -> int:
    """Have these sources polled again, at once; return how many rested."""
    return sources.filter(is_paused=True).update(is_paused=False, next_due_at=timezone.now())


def _lease() -> timedelta:
    return timedelta(seconds=settings.POLL_LEASE_SECONDS)
