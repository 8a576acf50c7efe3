"""Import files, each as a delivery, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import structlog
from django.db import Error, transaction
from django.utils import timezone

from audit.events import record_event
from audit.models import AuditEntry
from core.db.conflicts import cause_of
from customers.models import Customer
from ingestion.loading.load import LoadRequest, Parsing, load, log_failure
from ingestion.loading.parsing_ahead import parsed_ahead
from ingestion.loading.registration import other_customer_test_of_all
from ingestion.models import Delivery, IngestionType, Source
from ingestion.parsing.parse import parse_body
from ingestion.parsing.results import ParsedBatch, RejectedReading, UnreadableBody
from ingestion.sources.mapping import FieldMapping

logger = structlog.get_logger(__name__)

MAX_EXAMPLES = 5
# Files come from the operator's disk, so they may be far larger than a source's response.
MAX_FILE_BYTES = 64 * 1024**3

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class FileResult:
    """The result of importing a file. `examples` holds up to MAX_EXAMPLES rejected rows for each reason."""

    path: Path
    delivery: Delivery
    examples: Sequence[RejectedReading] = ()

    @property
    def is_failure(self) -> bool:
        """Whether the file could not be imported at all."""
        return self.delivery.status == Delivery.Status.FAILURE


def import_file(
    path: Path,
    customer: Customer,
    *,
    source: Source | None = None,
    default_unit_code: str = "",
    mapping: FieldMapping | None = None,
    progress: Progress = lambda _: None,
) -> FileResult:
    """Import the file as a delivery of `customer`.

    `source` provides the field mapping, unless `mapping` does, and whether new units are registered.
    `default_unit_code` is the unit of rows without one; a CSV file without a unit column defaults to its file name.
    `progress` is called with the number of bytes read since the previous call. Raise OSError if the file can't be read.
    """
    load_request = LoadRequest(
        customer=customer,
        source=source,
        ingestion_type=IngestionType.IMPORT,
        source_url=path.name,
        size_bytes=path.stat().st_size,
        default_unit_code=default_unit_code,
    )
    if mapping is None:
        mapping = source.mapping if source else FieldMapping()
    try:
        with path.open("rb") as file, transaction.atomic():
            result = _load(path, file, load_request, mapping, progress)
            _record_import(result.delivery)
    except Error as error:
        logger.exception("import failed", file=path.name)
        why = cause_of(error) or "The file could not be stored. See the log for details."
        result = FileResult(path, log_failure(load_request, "internal_error", why))
    return result


def _record_import(delivery: Delivery) -> None:
    record_event(
        AuditEntry.Action.IMPORTED,
        model="ingestion.delivery",
        object_id=delivery.pk,
        label=delivery.source_url,
        customer_id=delivery.customer_id,
        details={"status": delivery.status, "stored": delivery.records_stored, "rejected": delivery.records_rejected},
    )


def _load(
    path: Path, file: BinaryIO, load_request: LoadRequest, mapping: FieldMapping, progress: Progress
) -> FileResult:
    batches = Parsing(lambda: _parsed(path, file, load_request, mapping, progress))
    try:
        result = load(load_request, batches, max_rejected_per_reason=MAX_EXAMPLES)
    except UnreadableBody as unreadable:
        return FileResult(path, log_failure(load_request, unreadable.reason.value, unreadable.message))
    return FileResult(path, result.delivery, result.rejected)


def _parsed(
    path: Path, file: BinaryIO, load_request: LoadRequest, mapping: FieldMapping, progress: Progress
) -> Iterator[ParsedBatch]:
    file.seek(0)
    parsed = parse_body(
        file,
        mapping,
        file_name=path.name,
        received_at=timezone.now(),
        default_unit=load_request.default_unit_code,
        max_bytes=MAX_FILE_BYTES,
        is_other_customer=other_customer_test_of_all(load_request.customer),
    )
    position = 0
    with parsed_ahead(parsed) as batches:
        for batch in batches:
            yield batch
            reached = file.tell()
            progress(reached - position)
            position = reached
