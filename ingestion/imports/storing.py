"""Store and undo imports in the background: claimed, in a transaction per file, and resumed if a worker is killed.

A file is stored completely or not at all, so that a worker that is killed leaves it waiting and the next one stores it.
How far it has come is written through a connection of its own, because the file's transaction is not visible before
its end. Meanwhile the lease of the import is renewed by `core.leases`.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from typing import IO

import structlog
from django.conf import settings
from django.db import DatabaseError, connections, transaction

from audit.events import record_event
from audit.models import AuditEntry
from core.db import clock
from core.leases import Claim, LeasedTable
from customers.models import Facility
from ingestion.imports.mappings import changed_settings
from ingestion.loading.load import LoadRequest, LoadResult, Parsing, load, log_failure
from ingestion.loading.parsing_ahead import parsed_ahead
from ingestion.loading.registration import other_customer_test_of_all
from ingestion.models import FileImport, ImportFile, IngestionType
from ingestion.parsing.parse import parse_body
from ingestion.parsing.results import ParsedBatch, UnreadableBody
from ingestion.sources import SettingError

logger = structlog.get_logger(__name__)

CLAIMS_PER_TICK = 20
# A file that ends its worker every time must not be tried for ever.
MAX_ATTEMPTS = 3

import_leases = LeasedTable(
    model=FileImport,
    lease_setting="POLL_LEASE_SECONDS",
    due_column="due_at",
    joins="",
    condition="state IN ('storing', 'undoing')",
    is_slow="true",
    slow_seconds=0,
)
PROGRESS = """
UPDATE import_file SET read_bytes = %(read_bytes)s FROM file_import
WHERE import_file.id = %(file_id)s AND file_import.id = file_import_id AND claim_id = %(claim_id)s
"""


def claim_due() -> list[Claim]:
    """Claim the imports that are to be stored or undone."""
    return import_leases.claim_due(limit=CLAIMS_PER_TICK)


def store_files(claim: Claim, deadline: datetime) -> None:
    """Store the waiting files of a claimed import. Raise ClaimLost if another worker has taken over.

    No file is begun after the deadline: the next worker that claims the import stores the others.
    """
    waiting = ImportFile.objects.filter(file_import=claim.row_id, state=ImportFile.State.WAITING)
    for file_id in list(waiting.order_by("pk").values_list("pk", flat=True)):
        if clock.database_now() > deadline:
            import_leases.release([claim])
            return
        _store_file(claim, file_id)
    with import_leases.hold(claim) as file_import:
        release(file_import, FileImport.State.STORED)


def release(file_import: FileImport, state: FileImport.State) -> None:
    """Set the state that an import has reached, and give up the claim."""
    file_import.state = state
    file_import.claim_id = file_import.lease_until = None
    file_import.save(update_fields=["state", "claim_id", "lease_until"])


def content_of(file: ImportFile) -> IO[bytes]:
    """Return the decompressed content of a file."""
    return io.BytesIO(gzip.decompress(bytes(file.content)))


def facility_time_zone(file: ImportFile) -> str:
    """Return the time zone of facilities that the file registers: the one that the customer's others share, or its own.

    Loggers often record in UTC, wherever they are.
    """
    facilities = Facility.objects.filter(customer=file.file_import.customer)
    zones = set(facilities.order_by().values_list("time_zone", flat=True).distinct())
    return zones.pop() if len(zones) == 1 else file.time_zone


def _store_file(claim: Claim, file_id: int) -> None:
    with import_leases.hold(claim):
        file = ImportFile.objects.select_related("file_import__customer").get(pk=file_id)
        file.attempt_count += 1
        file.read_bytes = 0
        file.save(update_fields=["attempt_count", "read_bytes"])
    request = _load_request(file)
    if file.attempt_count > MAX_ATTEMPTS:
        _fail(claim, file, request, "interrupted", f"Storing it was interrupted {MAX_ATTEMPTS} times. Split the file.")
        return
    try:
        with transaction.atomic():
            result = load(request, Parsing(lambda: _batches(claim, file, request)))
            with import_leases.hold(claim):
                _record_stored(file, result)
    except UnreadableBody as error:
        _fail(claim, file, request, error.reason.value, error.file_message)
    except SettingError as error:
        _fail(claim, file, request, "source_settings", str(error))


def _load_request(file: ImportFile) -> LoadRequest:
    return LoadRequest(
        customer=file.file_import.customer,
        ingestion_type=IngestionType.IMPORT,
        source_url=file.name,
        size_bytes=file.size_bytes,
        default_unit_code=file.unit_code,
        facility_time_zone=facility_time_zone(file),
    )


def _batches(claim: Claim, file: ImportFile, request: LoadRequest) -> Iterator[ParsedBatch]:
    body = content_of(file)
    parsed = parse_body(
        body,
        file.mapping,
        file_name=file.name,
        received_at=request.received_at,
        default_unit=file.unit_code,
        max_bytes=settings.IMPORT_MAX_BYTES,
        is_other_customer=other_customer_test_of_all(request.customer),
    )
    with closing(_Progress(claim, file)) as progress, parsed_ahead(parsed) as batches:
        for batch in batches:
            yield batch
            progress.reach(body.tell())


def _record_stored(file: ImportFile, result: LoadResult) -> None:
    file.state = ImportFile.State.STORED
    file.delivery = result.delivery
    file.read_bytes = file.size_bytes
    file.error_message = ""
    file.content = b""
    file.note_stored(result.spans)
    file.save()
    _record(file)


def _fail(claim: Claim, file: ImportFile, request: LoadRequest, reason: str, message: str) -> None:
    """Note that a file cannot be stored; its content is kept, so that it can be stored with another mapping."""
    with import_leases.hold(claim):
        file.state = ImportFile.State.FAILED
        file.error_message = message
        file.delivery = log_failure(request, reason, message)
        file.save(update_fields=["state", "error_message", "delivery"])
        _record(file)


def _record(file: ImportFile) -> None:
    if (delivery := file.delivery) is None:
        return
    record_event(
        AuditEntry.Action.IMPORTED,
        model="ingestion.delivery",
        object_id=delivery.pk,
        label=delivery.source_url,
        customer_id=delivery.customer_id,
        details={
            "by": file.file_import.created_by,
            "status": delivery.status,
            "stored": delivery.records_stored,
            "rejected": delivery.records_rejected,
            "mapping": changed_settings(file),
        },
    )


class _Progress:
    """Writes how much of a file has been read, outside the file's transaction."""

    def __init__(self, claim: Claim, file: ImportFile) -> None:
        self._claim = claim
        self._file_id = file.pk
        self._connection = connections["default"].copy()

    def reach(self, read_bytes: int) -> None:
        """Note that the file has been read up to here. A failure costs nothing but the news of it."""
        parameters: dict[str, int | str] = {
            "claim_id": str(self._claim.claim_id),
            "read_bytes": read_bytes,
            "file_id": self._file_id,
        }
        with suppress(DatabaseError), self._connection.cursor() as cursor:
            cursor.execute(PROGRESS, parameters)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
