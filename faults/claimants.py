"""Workers that compete for the same sources, in threads of one process of the system."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from django.db import connection

from core.db import clock
from core.leases import ClaimLost
from ingestion.models import Source
from ingestion.polling.claims import claim_due, source_leases
from ingestion.polling.poll import poll

# Each delivery begins after the claim of its source, and ends before that is released.
SIMULTANEOUS = """
SELECT count(*) FROM delivery AS one JOIN delivery AS other USING (source_id)
WHERE one.id < other.id AND one.started_at >= %(since)s AND other.started_at >= %(since)s
    AND one.started_at < other.ended_at AND other.started_at < one.ended_at AND source_id IN (
        SELECT id FROM source WHERE url <> '')
"""


def compete(workers: int, seconds: float) -> int:
    """Poll as many workers do for some seconds; return how many deliveries of one source were made at the same time."""
    since, ends_at = clock.database_now(), time.monotonic() + seconds
    source = Source.objects.exclude(url="").earliest("pk")
    with ThreadPoolExecutor(workers) as threads:
        polls = sum(threads.map(lambda _: _work(source.pk, ends_at), range(workers)))
    if polls < workers:
        raise RuntimeError(f"Only {polls} polls: the workers did not compete.")
    with connection.cursor() as cursor:
        cursor.execute(SIMULTANEOUS, {"since": since})
        return int(cursor.fetchone()[0])


def _work(source_id: int, ends_at: float) -> int:
    """Claim and poll what is due, and this source in any case, until the end; return the number of claims."""
    claims = 0
    try:
        while time.monotonic() < ends_at:
            claim = source_leases.claim(source_id)
            for each in [*([claim] if claim else []), *claim_due()]:
                claims += 1
                with suppress(ClaimLost):
                    poll(each)
    finally:
        connection.close()
    return claims
