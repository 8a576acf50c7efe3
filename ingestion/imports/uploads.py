"""Uploads: the files that people hand in, kept in the database until they are stored."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from customers.models import Customer, Facility
from ingestion.imports.mappings import choose_mapping, save_mapping
from ingestion.imports.storing import content_of
from ingestion.models import FileImport, ImportFile
from ingestion.previews.preview import PreviewRequest, preview
from ingestion.previews.results import Preview

MAX_FILES = 100
_GZIP_MAGIC = b"\x1f\x8b"


class UploadRefused(ValueError):  # noqa: N818  what a person has to change, shown with the form
    """The files cannot be imported; the message says why, and what to do."""


@transaction.atomic
def create_import(customer: Customer | None, files: Sequence[UploadedFile[bytes]], *, by: str) -> FileImport:
    """Keep the files as a draft of an import, with the mapping that fits the first one. Raise UploadRefused."""
    if customer is None:
        raise UploadRefused("Choose the customer whose readings the files hold.")
    if not files:
        raise UploadRefused("Choose at least one file.")
    if len(files) > MAX_FILES:
        raise UploadRefused(f"Choose at most {MAX_FILES} files at once.")
    zone = _time_zone_of(customer)
    file_import = FileImport(customer=customer, created_by=by, time_zone=zone, facility_time_zone=zone)
    contents = [(str(file.name or "file")[-200:], _content(file)) for file in files]
    choose_mapping(file_import, contents[0][1], contents[0][0])
    file_import.save()
    for name, content in contents:
        ImportFile.objects.create(
            file_import=file_import, name=name, size_bytes=len(content), content=gzip.compress(content, 6)
        )
    return file_import


def preview_file(file: ImportFile) -> Preview:
    """Return how a file is understood with the import's mapping. Raise MappingError."""
    file_import = file.file_import
    request = PreviewRequest(
        customer=file_import.customer,
        mapping=file_import.mapping,
        file_name=file.name,
        default_unit_code=file.unit_code,
        facility_time_zone=file_import.facility_time_zone,
        max_bytes=settings.IMPORT_MAX_BYTES,
    )
    return preview(content_of(file), request)


def store(file_import: FileImport, first: Preview) -> bool:
    """Have the waiting and failed files of a draft stored in the background; return False if it is none any more.

    The mapping is remembered for files with the header that `first` shows.
    """
    with transaction.atomic():
        drafts = FileImport.objects.filter(pk=file_import.pk, state=FileImport.State.DRAFT)
        if not drafts.update(state=FileImport.State.STORING, due_at=timezone.now()):
            return False
        files = ImportFile.objects.filter(file_import=file_import, state=ImportFile.State.FAILED)
        files.update(state=ImportFile.State.WAITING, attempt_count=0, read_bytes=0, error_message="", delivery=None)
        titles = ", ".join(column.name for column in first.head.columns[:4])
        save_mapping(file_import, first.head, titles)
    return True


def correct(file_import: FileImport) -> bool:
    """Return a stored import whose files failed to the state in which its mapping can be changed."""
    stored = FileImport.objects.filter(
        pk=file_import.pk, state=FileImport.State.STORED, files__state=ImportFile.State.FAILED
    )
    return bool(FileImport.objects.filter(pk__in=stored.values("pk")).update(state=FileImport.State.DRAFT))


def files_to_preview(file_import: FileImport) -> QuerySet[ImportFile]:
    """Return the files of an import whose content is still kept."""
    kept = ImportFile.objects.filter(file_import=file_import).exclude(state=ImportFile.State.STORED)
    return kept.select_related("file_import__customer").order_by("pk")


def _content(file: UploadedFile[bytes]) -> bytes:
    """Return the decompressed content of an uploaded file, bounded."""
    limit = int(settings.IMPORT_MAX_BYTES)
    too_large = UploadRefused(
        f"{file.name} is larger than {limit // 1024**2} MiB. Split it, or have the operator import it."
    )
    if (file.size or 0) > limit:
        raise too_large
    data: bytes = file.read()
    if data.startswith(_GZIP_MAGIC):
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(limit + 1)
        except (OSError, EOFError) as error:
            raise UploadRefused(f"{file.name} cannot be decompressed: it is damaged. Upload it again.") from error
        if len(data) > limit:
            raise too_large
    if not data.strip():
        raise UploadRefused(f"{file.name} is empty. Export the readings again.")
    return data


def _time_zone_of(customer: Customer) -> str:
    """Return the time zone of the customer's facilities if they share one, else UTC."""
    zones = set(Facility.objects.filter(customer=customer).values_list("time_zone", flat=True))
    return zones.pop() if len(zones) == 1 else "UTC"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has come, in bytes."""

    read_bytes: int
    size_bytes: int

    @property
    def percent(self) -> int:
        """The share that is done; 100 only when all of it is."""
        return 100 * self.read_bytes // self.size_bytes if self.size_bytes else 100


def progress_of(file_import: FileImport) -> Progress:
    """Return the progress of an import: bytes that were read, or whose readings were withdrawn."""
    is_undo = file_import.state in (FileImport.State.UNDOING, FileImport.State.UNDONE)
    read = size = 0
    for file in file_import.files.defer("content", "spans"):
        size += file.size_bytes
        if is_undo:
            read += file.size_bytes if file.state != ImportFile.State.STORED else 0
        else:
            read += file.size_bytes if file.state != ImportFile.State.WAITING else min(file.read_bytes, file.size_bytes)
    return Progress(read, size)


def present_files(file_import: FileImport) -> list[ImportFile]:
    """Return the files of an import with their deliveries, without their contents."""
    return list(file_import.files.defer("content", "spans").select_related("delivery").order_by("pk"))
