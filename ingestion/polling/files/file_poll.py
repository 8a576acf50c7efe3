"""Poll a place of files: load each new file once, oldest first, in a delivery of its own.

A file is known by its key, size and time of modification; a changed one is read again. Its content is known by its
hash, so that a file that was moved or sent again is not loaded again, unless its name says that it is of another unit
than an equal file beside it. A file that fails is logged as a failed delivery
and tried again later, without holding up the others. A file that ends its worker several times is named in a failed
delivery and left out until it changes, or until a person polls the source.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import IO, cast

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError

from core.backoff import backoff_seconds
from core.db import clock
from core.db.conflicts import pgcode_of
from core.leases import ClaimLost
from ingestion.loading.load import LoadRequest, Parsing, load, log_failure
from ingestion.loading.registration import other_customer_test
from ingestion.models import Delivery, IngestionType, Source, SourceFile
from ingestion.parsing.parse import parse_body, unit_of_file
from ingestion.parsing.results import ParsedBatch, RowContext, UnreadableBody
from ingestion.polling.claims import source_leases
from ingestion.polling.fetch import FetchedBody, FetchFailure
from ingestion.polling.files.folder import Folder
from ingestion.polling.files.store import MAX_READ, FileStore, StoredFile, is_wanted
from ingestion.polling.source_poll import Failure, SourcePoll
from ingestion.sources.file_places import FilePlace, parse_place

logger = structlog.get_logger(__name__)

# A file that was modified more recently must have the same size and time in two polls before it is read.
SETTLED_AFTER = timedelta(seconds=60)
# A file that fails is tried again after this time, then less and less often.
FIRST_RETRY_SECONDS = 60
# A file that has ended its worker so often is left out: before the whole source is, after core.leases.MAX_INTERRUPTED.
MAX_FILE_INTERRUPTED = 3
_LEFT_OUT = (
    "{name} has ended its worker {count} times, by its size or its content, so it is left out. Send smaller files, or"
    " choose “Poll now” to read it again."
)
# What says nothing about the file that is being loaded: without its claim or the database no file can be.
_OF_NO_FILE = (ClaimLost, OperationalError, InterfaceError)
# Unless the file may be too much for the database: a statement took too long, or needed too much memory.
_OF_LARGE_FILE = ("57014", "53200")
_PIECE_BYTES = 1 << 18
_IN_MEMORY_BYTES = 8 << 20


class FilePoll(SourcePoll):
    """A poll of a folder, an SFTP server or a bucket."""

    _listed: frozenset[str] = frozenset()

    def fetch_new(self) -> None:
        """Load the files that are new, oldest first."""
        place = parse_place(self.source.ingestion_type, self.source.request_url)
        with ExitStack() as stack:
            store = _store(self.source, place, stack)
            listed = sorted(_wanted(store, place), key=lambda file: (file.modified_at, file.key))
            self._listed = frozenset(file.path for file in listed)
            new = self._new(listed)
            is_out_of_time = False
            for file in new:
                self._load_file(store, file)
                is_out_of_time = self.is_out_of_time()
                if is_out_of_time:
                    break
        with source_leases.hold(self.claim) as source:
            self.succeed(source, are_more=is_out_of_time, is_last=True)

    def _new(self, listed: list[StoredFile]) -> list[StoredFile]:
        """Return the files to read now, up to MAX_READ. Those that may still be written are noted for the next poll."""
        known = {file.path: file for file in SourceFile.objects.filter(source=self.source)}
        SourceFile.objects.filter(source=self.source, path__in=known.keys() - {file.key for file in listed}).delete()
        new: list[StoredFile] = []
        for file in listed:
            # Loaded files don't count: where they stay, they would keep newer ones from being read.
            if len(new) >= MAX_READ:
                break
            seen = known.get(file.key)
            is_same = seen is not None and (seen.size_bytes, seen.modified_at) == (file.size_bytes, file.modified_at)
            if seen is not None and is_same and seen.state in (SourceFile.State.LOADED, SourceFile.State.LEFT):
                continue
            if seen is not None and is_same and seen.reads_begun >= MAX_FILE_INTERRUPTED:
                self._leave_out(file)
                continue
            if seen is not None and is_same and seen.retry_at is not None and seen.retry_at > self.started_at:
                continue
            if is_same or self.started_at - file.modified_at > SETTLED_AFTER:
                new.append(file)
            else:
                self._note(file, state=SourceFile.State.SEEN, failures_in_a_row=0)
        return new

    def _request(self, file: StoredFile) -> LoadRequest:
        started_at = clock.database_now()
        return LoadRequest(
            customer=self.source.customer,
            source=self.source,
            ingestion_type=IngestionType(self.source.ingestion_type),
            started_at=started_at,
            received_at=started_at,
            source_url=file.path,
            size_bytes=file.size_bytes,
            default_unit_code=self.source.default_unit_code,
        )

    def _load_file(self, store: FileStore, file: StoredFile) -> None:
        load_request = self._request(file)
        self._begin_file(file)
        try:
            with _downloaded(store, file) as (body, content_hash), source_leases.hold(self.claim) as source:
                if not self._is_known(file, body, content_hash, load_request.received_at):
                    self._load_body(file, body, content_hash, load_request)
                self._note(file, state=SourceFile.State.LOADED, content_hash=content_hash, failures_in_a_row=0)
                if source.cursor_at is None or source.cursor_at < file.modified_at:
                    source.cursor_at = file.modified_at
                    source.save(update_fields=["cursor_at"])
        except UnreadableBody as error:
            self._fail_file(file, load_request, error.reason.value, error.message)
        except FetchFailure as failure:
            self._fail_file(file, load_request, failure.reason, failure.message)
        except SoftTimeLimitExceeded:
            # Too little time is left for others, which the next poll reads while this one waits.
            message = f"{file.name} took longer than {settings.POLL_SOFT_SECONDS} s. Send smaller files."
            self._fail_file(file, load_request, "timeout", message)
        except Exception as error:
            self._forget_begun(file)
            unexpected = Failure.of(error)
            is_of_no_file = isinstance(error, _OF_NO_FILE) and pgcode_of(error) not in _OF_LARGE_FILE
            if is_of_no_file or unexpected.reason != "internal_error":
                raise
            # By this file alone: it would be the oldest one, and so the first, at every poll.
            logger.exception("a file failed", path=file.key)
            self._fail_file(file, load_request, unexpected.reason, unexpected.message)

    def _is_known(self, file: StoredFile, body: IO[bytes], content_hash: str, received_at: datetime) -> bool:
        """Return whether the content has been loaded, from this file, one that was moved, or one of the same units."""
        deliveries = Delivery.objects.filter(source=self.source, content_hash=content_hash)
        paths = set(deliveries.values_list("source_url", flat=True))
        if not paths:
            return False
        if file.path in paths or not paths <= self._listed:
            return True
        with closing(self._parsed(file, body, received_at)) as batches:
            batch = next(batches)
        return RowContext.from_text(batch.row_context).unit != unit_of_file(file.name)

    def _parsed(self, file: StoredFile, body: IO[bytes], received_at: datetime) -> Generator[ParsedBatch, None, None]:
        body.seek(0)
        yield from parse_body(
            body,
            self.source.mapping,
            file_name=file.name,
            received_at=received_at,
            default_unit=self.source.default_unit_code,
            max_bytes=settings.SOURCE_MAX_BYTES,
            max_rows=settings.SOURCE_MAX_ROWS,
            is_other_customer=other_customer_test(self.source.customer),
        )

    def _load_body(self, file: StoredFile, body: IO[bytes], content_hash: str, load_request: LoadRequest) -> None:
        is_timed_on_receipt = False

        def batches() -> Iterator[ParsedBatch]:
            nonlocal is_timed_on_receipt
            for batch in self._parsed(file, body, load_request.received_at):
                is_timed_on_receipt |= bool((batch.readings["recorded_at"] == load_request.received_at).any())
                yield batch

        delivery = load(load_request, Parsing(batches), problems=self.problems).delivery
        if not is_timed_on_receipt:  # else the same content, written again, is another measurement
            delivery.content_hash = content_hash
            delivery.save(update_fields=["content_hash"])
        self.deliveries.append(delivery)
        self.problems.clear()

    def _begin_file(self, file: StoredFile) -> None:
        """Count that the file is being read, in a transaction of its own: its worker may not survive that."""
        with source_leases.hold(self.claim):
            seen = SourceFile.objects.filter(source=self.source, path=file.key).first()
            is_same = seen is not None and (seen.size_bytes, seen.modified_at) == (file.size_bytes, file.modified_at)
            begun = seen.reads_begun + 1 if seen is not None and is_same else 1
            self._note(file, state=SourceFile.State.SEEN, reads_begun=begun)

    def _forget_begun(self, file: StoredFile) -> None:
        """Note that the worker has survived the file, although what became of it could not be stored."""
        with suppress(Error):
            SourceFile.objects.filter(source=self.source, path=file.key).update(reads_begun=0)

    def _leave_out(self, file: StoredFile) -> None:
        message = _LEFT_OUT.format(name=file.name, count=MAX_FILE_INTERRUPTED)
        with source_leases.hold(self.claim):
            self.deliveries.append(log_failure(self._request(file), "interrupted", message))
            self._note(file, state=SourceFile.State.LEFT)

    def _fail_file(self, file: StoredFile, load_request: LoadRequest, reason: str, message: str) -> None:
        with source_leases.hold(self.claim):
            self.deliveries.append(log_failure(load_request, reason, message))
            before = SourceFile.objects.filter(source=self.source, path=file.key).first()
            failures = (before.failures_in_a_row if before else 0) + 1
            wait_seconds = backoff_seconds(failures, random=random.SystemRandom(), first_seconds=FIRST_RETRY_SECONDS)
            retry_at = clock.database_now() + timedelta(seconds=wait_seconds)
            self._note(file, state=SourceFile.State.FAILED, failures_in_a_row=failures, retry_at=retry_at)

    def _note(self, file: StoredFile, **state: object) -> None:
        values = {"size_bytes": file.size_bytes, "modified_at": file.modified_at, "retry_at": None, "reads_begun": 0}
        values |= state
        SourceFile.objects.update_or_create(source=self.source, path=file.key, defaults=values)


@contextmanager
def newest_file(source: Source) -> Iterator[FetchedBody]:
    """Open the newest file at the source's place, for a trial. Raise FetchFailure."""
    place = parse_place(source.ingestion_type, source.request_url)
    with ExitStack() as stack:
        store = _store(source, place, stack)
        listed = _wanted(store, place)
        if not listed:
            raise FetchFailure("not_found", f"There is no file called {place.pattern}.")
        file = max(listed, key=lambda each: (each.modified_at, each.key))
        body, _ = stack.enter_context(_downloaded(store, file))
        body.seek(0)
        yield FetchedBody(
            status=HTTPStatus.OK,
            headers={},
            content_type="",
            body=body,
            size_bytes=file.size_bytes,
            url=file.path,
            received_at=clock.database_now(),
            is_cut_off=False,
        )


def _store(source: Source, place: FilePlace, stack: ExitStack) -> FileStore:
    # The libraries of both servers would take a tenth of the time and of the memory of every process at its start.
    match source.ingestion_type:
        case IngestionType.FOLDER:
            return Folder(place)
        case IngestionType.SFTP:
            from ingestion.polling.files.sftp import SftpServer

            return stack.enter_context(SftpServer(source, place))
    from ingestion.polling.files.s3 import Bucket

    return Bucket(source, place)


def _wanted(store: FileStore, place: FilePlace) -> list[StoredFile]:
    return [file for file in store.list() if is_wanted(file, place.pattern)]


@contextmanager
def _downloaded(store: FileStore, file: StoredFile) -> Iterator[tuple[IO[bytes], str]]:
    """Yield a copy of the file with the hash of its content. Raise FetchFailure, also if it is not the listed one."""
    if file.size_bytes > settings.SOURCE_MAX_BYTES:
        raise _too_large(file)
    content = sha256()
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as body:
        with store.open(file) as opened:
            while piece := opened.read(_PIECE_BYTES):
                content.update(piece)
                body.write(piece)
                if body.tell() > settings.SOURCE_MAX_BYTES:
                    raise _too_large(file)
        if body.tell() != file.size_bytes:
            raise FetchFailure("still_written", f"{file.name} changed while it was read.")
        yield cast("IO[bytes]", body), content.hexdigest()


def _too_large(file: StoredFile) -> FetchFailure:
    return FetchFailure("too_large", f"{file.name} is larger than {settings.SOURCE_MAX_BYTES:,} bytes.")
