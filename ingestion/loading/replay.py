"""Replay or dismiss rejected rows: a replay parses and loads them again once their cause is fixed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import polars as pl
import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.events import record_event
from audit.models import AuditEntry
from ingestion.loading.load import LoadRequest, LoadResult, load
from ingestion.loading.registration import other_customer_test
from ingestion.loading.undone_rows import lock_import
from ingestion.models import Conflict, ImportFile, IngestionType, RejectedRow
from ingestion.parsing.parse import parse_rejected_row
from ingestion.parsing.results import ParsedBatch
from ingestion.sources.mapping import FieldMapping

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The numbers of rows that were loaded and that were rejected again."""

    replayed: int = 0
    still_rejected: int = 0


@transaction.atomic
def replay(rejected_rows: QuerySet[RejectedRow], *, by: str) -> ReplayResult:
    """Replay the waiting ones of these rows with the mapping of their source or imported file, as a delivery each.

    A row that is rejected again stays waiting, with its new reason. What a file's rows store is undone with its import;
    rows of an import that is being undone are left to that.
    """
    waiting = list(_waiting(rejected_rows).select_related("source", "customer"))
    files = _files_of(waiting)
    by_origin: dict[tuple[int, int | None, ImportFile | None], list[RejectedRow]] = defaultdict(list)
    for row in waiting:
        by_origin[row.customer_id, row.source_id, files.get(row.delivery_id)].append(row)
    results = [_replay_of_origin(rows, file, by) for (_, _, file), rows in by_origin.items()]
    return ReplayResult(sum(r.replayed for r in results), sum(r.still_rejected for r in results))


@transaction.atomic
def dismiss(rejected_rows: QuerySet[RejectedRow], *, by: str) -> int:
    """Dismiss the waiting ones of these rows; return their number."""
    waiting = list(_waiting(rejected_rows))
    _decide(waiting, RejectedRow.State.DISMISSED, by)
    return len(waiting)


def _waiting(rejected_rows: QuerySet[RejectedRow]) -> QuerySet[RejectedRow]:
    # Not locked, because loading locks units before rejected rows, and so must a replay. Replaying a row twice at the
    # same time is harmless: the second finds its reading stored.
    return rejected_rows.filter(state=RejectedRow.State.WAITING).order_by("received_at", "pk")


def _files_of(rows: Sequence[RejectedRow]) -> dict[int | None, ImportFile]:
    """Return the imported files that rows come from, by the ids of their deliveries."""
    files = ImportFile.objects.filter(delivery__in={row.delivery_id for row in rows if row.source_id is None})
    return {file.delivery_id: file for file in files.defer("content", "spans")}


def _replay_of_origin(rows: Sequence[RejectedRow], file: ImportFile | None, by: str) -> ReplayResult:
    with transaction.atomic():
        result = _load_again(rows, file, by)
        if file is not None and not _note_stored(file, result):
            transaction.set_rollback(True)
            return ReplayResult()
    return _decide_replayed(rows, result, by)


def _note_stored(file: ImportFile, result: LoadResult) -> bool:
    """Have what was stored undone together with the file's import; return False if that is undone already."""
    if not lock_import(file):
        return False
    file.note_stored(result.spans)
    file.save(update_fields=["spans"])
    Conflict.objects.filter(delivery=result.delivery).update(delivery=file.delivery_id)
    return True


def _load_again(rows: Sequence[RejectedRow], file: ImportFile | None, by: str) -> LoadResult:
    first = rows[0]
    mapping = first.source.mapping if first.source else file.mapping if file else FieldMapping()
    load_request = LoadRequest(
        customer=first.customer,
        source=first.source,
        ingestion_type=IngestionType(first.source.ingestion_type) if first.source else IngestionType.IMPORT,
        source_url=f"replay of rejected rows by {by}",
        facility_time_zone=file.time_zone if file else "UTC",
    )
    # Row numbers within the replay are indexes into `rows`, so that a rejection finds its row.
    return load(load_request, [_parse_again(rows, mapping)], keeps_rejected=False, max_rejected_per_reason=inf)


def _decide_replayed(rows: Sequence[RejectedRow], result: LoadResult, by: str) -> ReplayResult:
    first = rows[0]
    again = {rejection.row_number: rejection for rejection in result.rejected}
    _decide([row for index, row in enumerate(rows) if index not in again], RejectedRow.State.REPLAYED, by)
    for index, rejection in again.items():
        rows[index].reason = rejection.reason.value
        rows[index].message = rejection.message
    RejectedRow.objects.bulk_update([rows[index] for index in again], ["reason", "message"])
    record_event(
        AuditEntry.Action.REPLAYED,
        model="ingestion.source" if first.source else "ingestion.rejectedrow",
        object_id=first.source_id or "",
        label=first.source.name if first.source else "rejected rows",
        customer_id=first.customer_id,
        details={"by": by, "replayed": len(rows) - len(again), "still_rejected": len(again)},
    )
    return ReplayResult(len(rows) - len(again), len(again))


def _parse_again(rows: Sequence[RejectedRow], mapping: FieldMapping) -> ParsedBatch:
    """Parse these rows again as one batch, numbered by their indexes."""
    source = rows[0].source
    is_other_customer = other_customer_test(rows[0].customer)
    parsed = [
        parse_rejected_row(
            row.raw,
            row.header,
            mapping,
            received_at=row.received_at,
            row_number=index,
            default_unit=row.default_unit_code or (source.default_unit_code if source else ""),
            is_other_customer=is_other_customer,
        )
        for index, row in enumerate(rows)
    ]
    return ParsedBatch(
        readings=pl.concat([batch.readings for batch in parsed]),
        rejected=[rejection for batch in parsed for rejection in batch.rejected],
        units={key: described for batch in parsed for key, described in batch.units.items()},
        raw_row=lambda index: rows[index].raw,
        accepts_old_readings=mapping.accepts_old_readings,
    )


def _decide(rows: Sequence[RejectedRow], state: RejectedRow.State, by: str) -> None:
    now = timezone.now()
    for row in rows:
        row.state, row.decided_at, row.decided_by = state, now, by
    RejectedRow.objects.bulk_update(rows, ["state", "decided_at", "decided_by"], batch_size=1_000)
    logger.info("rejected rows decided", count=len(rows), state=state.value, by=by)
