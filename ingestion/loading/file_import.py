"""Importing files that people hand in: each file a delivery, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from django.db import transaction
from django.utils import timezone

from customers.models import Customer
from ingestion.loading import rejected_rows
from ingestion.loading.load import LoadRequest, load, log_failure
from ingestion.models import Delivery, IngestionType, Source
from ingestion.parsing.parse import parse_body
from ingestion.parsing.results import ParsedBatch, RejectedReading, UnreadableBody
from ingestion.sources.mapping import FieldMapping

EXAMPLES_SHOWN = 5
# A file on the operator's disk is not a stranger's answer: it may be as large as a year of many units.
MAX_FILE_BYTES = 64 * 1024**3

Progress = Callable[[int], object]


@dataclass(slots=True)
class FileOutcome:
    """What became of a file. `examples` are some of its rejected rows, at most EXAMPLES_SHOWN of each reason."""

    path: Path
    delivery: Delivery
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[RejectedReading] = field(default_factory=list)

    @property
    def is_failure(self) -> bool:
        return self.delivery.status == Delivery.Status.FAILURE

    def note(self, rejected: Sequence[RejectedReading]) -> None:
        for row in rejected:
            self.reasons[row.reason.value] += 1
            if self.reasons[row.reason.value] <= EXAMPLES_SHOWN:
                self.examples.append(row)


def import_file(
    path: Path,
    customer: Customer,
    *,
    source: Source | None = None,
    default_unit_code: str = "",
    is_dry_run: bool = False,
    progress: Progress = lambda _: None,
) -> FileOutcome:
    """Take the file in as a delivery of `customer`; a dry run does all of it and undoes it.

    `source` gives the mapping and says whether unseen units are registered. `default_unit_code` is the unit of rows in
    a file that names none; a CSV file without a column for it falls back to its own name. `progress` is called with
    the number of bytes taken in since its last call. Raises OSError where the file can't be read.
    """
    load_request = LoadRequest(
        customer=customer,
        source=source,
        ingestion_type=IngestionType.IMPORT,
        source_url=path.name,
        size_bytes=path.stat().st_size,
        default_unit_code=default_unit_code,
    )
    with path.open("rb") as file, transaction.atomic():
        outcome = _load(path, file, load_request, progress)
        if is_dry_run:
            transaction.set_rollback(True)
    return outcome


def _load(path: Path, file: BinaryIO, load_request: LoadRequest, progress: Progress) -> FileOutcome:
    def keep(delivery: Delivery, rejected: Sequence[RejectedReading], header: str, default_unit_code: str) -> None:
        rejected_rows.keep(delivery, rejected, header, default_unit_code)
        outcome.note(rejected)

    outcome = FileOutcome(path, Delivery())
    try:
        outcome.delivery = load(load_request, _parsed(path, file, load_request, progress), keep_rejected=keep).delivery
    except UnreadableBody as unreadable:
        outcome.delivery = log_failure(load_request, unreadable.reason.value, unreadable.message)
    return outcome


def _parsed(path: Path, file: BinaryIO, load_request: LoadRequest, progress: Progress) -> Iterator[ParsedBatch]:
    batches = parse_body(
        file,
        load_request.source.mapping if load_request.source else FieldMapping(),
        file_name=path.name,
        received_at=timezone.now(),
        default_unit=load_request.default_unit_code,
        max_bytes=MAX_FILE_BYTES,
    )
    position = 0
    for batch in batches:
        yield batch
        progress(file.tell() - position)
        position = file.tell()
