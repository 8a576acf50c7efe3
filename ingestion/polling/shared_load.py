"""Load the small responses of several polls in one transaction, as most polls bring a few rows."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from django.db import connection

from core.db import clock
from core.tracing import describe_span, span
from ingestion.loading.load import log_loaded
from ingestion.loading.small_deliveries import SmallDelivery, load_together
from ingestion.models import Source
from ingestion.parsing.results import ParsedBatch
from ingestion.polling.claims import source_leases
from ingestion.polling.http_poll import HttpPoll, Part
from ingestion.polling.poll import bound_source
from ingestion.polling.progress import advance
from ingestion.polling.source_poll import STATE_FIELDS

logger = structlog.get_logger(__name__)

# Rows of one transaction: more hold its locks for longer than is saved by sharing it.
MAX_ROWS = 500
_TYPES = {
    "cursor_at": "timestamptz",
    "failures_in_a_row": "int",
    "last_error": "text",
    "last_success_at": "timestamptz",
    "last_polled_at": "timestamptz",
    "last_duration_seconds": "float8",
    "next_due_at": "timestamptz",
    "claim_id": "uuid",
    "lease_until": "timestamptz",
    "polls_begun": "int",
    "validated_request": "text",
    "etag": "text",
    "last_modified": "text",
}
# Not prepared: an audited table is written, see `audit.writes`.
_SAVE_STATES = f"""
UPDATE source SET {", ".join(f"{name} = state.{name}" for name in STATE_FIELDS)}
FROM unnest(%(id)s::bigint[], {", ".join(f"%({name})s::{_TYPES[name]}[]" for name in STATE_FIELDS)})
    AS state (id, {", ".join(STATE_FIELDS)})
WHERE source.id = state.id
"""  # noqa: S608  constants only


def load_small(polls: Sequence[HttpPoll]) -> list[HttpPoll]:
    """Load what the small responses of these polls brought, and end these polls; return the others.

    If anything fails, nothing is loaded and all polls are returned: run alone, each reports what is its own.
    """
    started_at = clock.database_now()
    small: list[tuple[HttpPoll, Part, ParsedBatch]] = []
    count = 0
    for poll in polls:
        if (found := poll.small_part(started_at)) and count + len(found[1].row_numbers) <= MAX_ROWS:
            small.append((poll, *found))
            count += len(found[1].row_numbers)
    loaded: list[HttpPoll] = []
    if len(small) > 1:
        try:
            with span("load together", sources=len(small)):
                loaded = _load(small)
        except Exception as error:  # noqa: BLE001  raised again by the poll whose error it is
            logger.warning("responses are loaded one by one", error=str(error), sources=len(small))
    return [poll for poll in polls if poll not in loaded]


def _load(small: Sequence[tuple[HttpPoll, Part, ParsedBatch]]) -> list[HttpPoll]:
    """Load these responses in one transaction; return the polls that have ended. Others have lost their claim, say."""
    with source_leases.hold_together([poll.claim for poll, _, _ in small]) as sources:
        held = [each for each in small if each[0].source.pk in sources]
        if not held:
            return []
        results = load_together([SmallDelivery(part.load_request, batch) for _, part, batch in held])
        loaded = []
        delivered = []
        for (poll, part, _), result in zip(held, results, strict=True):
            if result is None:
                continue
            source = sources[poll.source.pk]
            delivered += poll.take_over(source, part, result, are_more=False)
            poll.set_success(source, are_more=False, is_last=True)
            loaded.append((poll, result.delivery))
        advance(delivered)
        _save_states([sources[poll.source.pk] for poll, _ in loaded])
    for poll, delivery in loaded:
        poll.deliveries.append(delivery)
        poll.close_outcome()
        with bound_source(poll.source):
            describe_span(delivery=str(delivery.public_id))
            log_loaded(delivery)
    return [poll for poll, _ in loaded]


def _save_states(sources: Sequence[Source]) -> None:
    """Save the STATE_FIELDS of sources with one statement."""
    columns = {name: [getattr(source, name) for source in sources] for name in ("id", *STATE_FIELDS)}
    with connection.cursor() as cursor:
        cursor.execute(_SAVE_STATES, columns)
