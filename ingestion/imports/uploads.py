"""Uploads: the files that people hand in, kept in the database until they are stored."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Sequence

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from customers.models import Customer
from ingestion.imports.drafts import check_files
from ingestion.imports.mappings import choose_mapping
from ingestion.imports.storing import facility_time_zone
from ingestion.models import FileImport, ImportFile

MAX_FILES = 100
_GZIP_MAGIC = b"\x1f\x8b"
# Logger files shrink to a tenth at the fastest level as well.
_COMPRESSION = 1


class UploadRefused(ValueError):  # noqa: N818  what a person has to change, shown with the form
    """The files cannot be imported; the message says why, and what to do."""


@transaction.atomic
def create_import(customer: Customer | None, files: Sequence[UploadedFile[bytes]], *, by: str) -> FileImport:
    """Keep the files as a draft of an import, each with the mapping that fits it. Raise UploadRefused."""
    if customer is None:
        raise UploadRefused("Choose the customer whose readings the files hold.")
    if not files:
        raise UploadRefused("Choose at least one file.")
    if len(files) > MAX_FILES:
        raise UploadRefused(f"Choose at most {MAX_FILES} files at once.")
    file_import = FileImport.objects.create(customer=customer, created_by=by)
    for file in files:
        _keep(file_import, file)
    check_files(ImportFile.objects.filter(file_import=file_import))
    return file_import


def _keep(file_import: FileImport, uploaded: UploadedFile[bytes]) -> None:
    content = _content(uploaded)
    file = ImportFile(
        file_import=file_import,
        name=str(uploaded.name or "file")[-200:],
        size_bytes=len(content),
        content=gzip.compress(content, _COMPRESSION),
    )
    file.time_zone = facility_time_zone(file)
    choose_mapping(file, content)
    file.save()


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
        except (OSError, EOFError, zlib.error) as error:
            raise UploadRefused(f"{file.name} cannot be decompressed: it is damaged. Upload it again.") from error
        if len(data) > limit:
            raise too_large
    if not data.strip():
        raise UploadRefused(f"{file.name} is empty. Export the readings again.")
    return data
