"""Replaying rejected rows once the cause is mended: each goes through the parser and the intake again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl
import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ingestion.loading.load import LoadRequest, load
from ingestion.models import Delivery, IngestionType, RejectedRow, Source
from ingestion.parsing.parse import parse_rejected_row
from ingestion.parsing.results import ParsedBatch, RejectedReading
from ingestion.sources.mapping import FieldMapping

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How many rejected rows were taken in, and how many were rejected again."""

    replayed: int = 0
    still_rejected: int = 0


@transaction.atomic
def replay(rejected_rows: QuerySet[RejectedRow], *, by: str) -> ReplayResult:
    """Replay those of these rows that wait, with the mapping their source has now: a delivery for each source.

    A row that is rejected again goes on waiting, with its new reason.
    """
    waiting = _waiting(rejected_rows).select_related("source", "customer")
    by_source: dict[tuple[int, int | None], list[RejectedRow]] = defaultdict(list)
    for row in waiting:
        by_source[row.customer_id, row.source_id].append(row)
    results = [_replay_of_source(rows, by) for rows in by_source.values()]
    return ReplayResult(sum(r.replayed for r in results), sum(r.still_rejected for r in results))


@transaction.atomic
def dismiss(rejected_rows: QuerySet[RejectedRow], *, by: str) -> int:
    """Let those of these rows that wait be; return how many."""
    waiting = list(_waiting(rejected_rows))
    _decide(waiting, RejectedRow.State.DISMISSED, by)
    return len(waiting)


def _waiting(rejected_rows: QuerySet[RejectedRow]) -> QuerySet[RejectedRow]:
    # Not locked: an intake locks units before it touches rejected rows, and so must a replay. Two replays of one row
    # at once do no harm, the second finds its reading stored.
    return rejected_rows.filter(state=RejectedRow.State.WAITING).order_by("received_at", "pk")


def _replay_of_source(rows: Sequence[RejectedRow], by: str) -> ReplayResult:
    first = rows[0]
    load_request = LoadRequest(
        customer=first.customer,
        source=first.source,
        ingestion_type=IngestionType(first.source.ingestion_type) if first.source else IngestionType.IMPORT,
        source_url=f"replay of rejected rows by {by}",
    )
    # Row numbers within the replay are places in `rows`, so that a rejection finds its row again.
    again: dict[int, RejectedReading] = {}

    def remember(_: Delivery, rejected: Iterable[RejectedReading], __: str, ___: str) -> None:
        again.update({row.row_number: row for row in rejected})

    load(load_request, [_parsed_again(rows, first.source)], keep_rejected=remember)
    _decide([row for place, row in enumerate(rows) if place not in again], RejectedRow.State.REPLAYED, by)
    for place, rejection in again.items():
        rows[place].reason = rejection.reason.value
        rows[place].message = rejection.message
    RejectedRow.objects.bulk_update([rows[place] for place in again], ["reason", "message"])
    return ReplayResult(len(rows) - len(again), len(again))


def _parsed_again(rows: Sequence[RejectedRow], source: Source | None) -> ParsedBatch:
    """These rows parsed anew as one batch, numbered by their places."""
    mapping = source.mapping if source else FieldMapping()
    parsed = [
        parse_rejected_row(
            row.raw,
            row.header,
            mapping,
            received_at=row.received_at,
            row_number=place,
            default_unit=row.default_unit_code or (source.default_unit_code if source else ""),
        )
        for place, row in enumerate(rows)
    ]
    return ParsedBatch(
        readings=pl.concat([batch.readings for batch in parsed]),
        rejected=[rejection for batch in parsed for rejection in batch.rejected],
        units={key: described for batch in parsed for key, described in batch.units.items()},
        raw_row=lambda place: rows[place].raw,
    )


def _decide(rows: Sequence[RejectedRow], state: RejectedRow.State, by: str) -> None:
    now = timezone.now()
    for row in rows:
        row.state, row.decided_at, row.decided_by = state, now, by
    RejectedRow.objects.bulk_update(rows, ["state", "decided_at", "decided_by"], batch_size=1_000)
    logger.info("rejected rows decided", count=len(rows), state=state.value, by=by)
