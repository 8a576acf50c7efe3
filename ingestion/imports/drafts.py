"""Drafts: files of an import that are not stored yet, each previewed, checked and mapped on its own.

Files with the same columns are mapped together. A file is checked by previewing its first rows; one that cannot be
stored with its mapping says why, and is left out when the others are stored.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from core.db import clock
from ingestion.imports.mappings import MAPPING_FIELDS, copy_mapping, save_mapping
from ingestion.imports.storing import CLAIMS_PER_TICK, content_of, facility_time_zone
from ingestion.models import FileImport, ImportFile
from ingestion.parsing.head import BodyHead, head_of
from ingestion.previews.preview import PreviewRequest, preview
from ingestion.previews.results import Preview
from ingestion.sources import SettingError

# Drafts are forgotten after this time, with their files.
DRAFTS_KEPT = timedelta(days=30)
CHECKED_ROWS = 200
# Counting this many takes a second, which people wait for at each click on a column.
PREVIEWED_ROWS = 50_000
# Files that are not checked within this time are taken to be fine: storing them says if they are not.
CHECK_SECONDS = 3.0


def preview_file(file: ImportFile) -> Preview:
    """Return how a file is understood with its mapping, and note with it why it cannot be stored."""
    result = _preview(file)
    _note_problem(file, result)
    return result


def read_head(file: ImportFile) -> BodyHead:
    """Return the columns of a file as they are read with its mapping; none if the mapping contradicts itself."""
    try:
        return head_of(
            content_of(file),
            file.mapping,
            file_name=file.name,
            max_bytes=settings.IMPORT_MAX_BYTES,
            has_default_unit=bool(file.unit_code),
        )
    except SettingError:
        return BodyHead()


def check_files(files: QuerySet[ImportFile]) -> None:
    """Note with each of these files why it cannot be stored with its mapping, judged by its first rows."""
    ends_at = time.monotonic() + CHECK_SECONDS
    for file_id in files.order_by("pk").values_list("pk", flat=True):
        file = ImportFile.objects.select_related("file_import__customer").get(pk=file_id)
        _note_problem(file, _preview(file, is_check=True))
        if time.monotonic() > ends_at:
            break


def apply_mapping(file: ImportFile) -> None:
    """Map the files of the import with the same columns like this one, whose mapping was changed; check them all."""
    kept = files_to_preview(file.file_import)
    is_same = Q(header_digest=file.header_digest) if file.header_digest else Q(pk=file.pk)
    for other in kept.filter(is_same).exclude(pk=file.pk).defer("content", "spans"):
        copy_mapping(file, other)
        other.error_message = ""
        other.save(update_fields=[*MAPPING_FIELDS, "error_message"])
    check_files(kept.filter(is_same))


def store(file_import: FileImport) -> bool:
    """Have the files of a draft that can be stored stored in the background; return False if there are none.

    Their mappings are remembered for files with the same columns.
    """
    with transaction.atomic():
        drafts = FileImport.objects.filter(pk=file_import.pk, state=FileImport.State.DRAFT)
        if not drafts.update(state=FileImport.State.STORING, due_at=clock.database_now()):
            return False
        kept = files_to_preview(file_import)
        kept.exclude(error_message="").update(state=ImportFile.State.FAILED)
        storable = kept.filter(error_message="")
        if not storable.update(state=ImportFile.State.WAITING, attempt_count=0, read_bytes=0, delivery=None):
            transaction.set_rollback(True)
            return False
        by_header = {file.header_digest: file for file in storable.defer("content", "spans")}
        for file in by_header.values():
            save_mapping(file)
    return True


def correct(file_import: FileImport) -> bool:
    """Return a stored import whose files failed to the state in which their mappings can be changed."""
    stored = FileImport.objects.filter(
        pk=file_import.pk, state=FileImport.State.STORED, files__state=ImportFile.State.FAILED
    )
    corrected = FileImport.objects.filter(pk__in=stored.values("pk"))
    if not corrected.update(state=FileImport.State.DRAFT, due_at=clock.database_now()):
        return False
    check_files(files_to_preview(file_import))
    return True


@transaction.atomic
def discard(file_import: FileImport, file: ImportFile | None = None) -> bool:
    """Delete the files of a draft that are not stored, or one of them; return False if it is no draft any more.

    An import of which nothing was stored is deleted with its last file; another one is what it was: stored.
    """
    draft = FileImport.objects.select_for_update(no_key=True).filter(pk=file_import.pk, state=FileImport.State.DRAFT)
    if not draft.exists():
        return False
    discarded = files_to_preview(file_import)
    (discarded.filter(pk=file.pk) if file else discarded).delete()
    if not file_import.files.exists():
        FileImport.objects.filter(pk=file_import.pk).delete()
    elif not files_to_preview(file_import).exists():
        FileImport.objects.filter(pk=file_import.pk).update(state=FileImport.State.STORED)
    return True


def forget_drafts() -> int:
    """Discard drafts that nobody stored within DRAFTS_KEPT; return their number.

    An import that is corrected is a draft from then on, however long ago it was created.
    """
    before = clock.database_now() - DRAFTS_KEPT
    old = FileImport.objects.filter(state=FileImport.State.DRAFT, due_at__lt=before)
    return sum(discard(draft) for draft in old[:CLAIMS_PER_TICK])


def files_to_preview(file_import: FileImport) -> QuerySet[ImportFile]:
    """Return the files of an import that are not stored, whose content is therefore kept."""
    kept = ImportFile.objects.filter(
        Q(state=ImportFile.State.WAITING) | Q(state=ImportFile.State.FAILED), file_import=file_import
    )
    return kept.select_related("file_import__customer").order_by("pk")


def _preview(file: ImportFile, *, is_check: bool = False) -> Preview:
    try:
        request = PreviewRequest(
            customer=file.file_import.customer,
            mapping=file.mapping,
            file_name=file.name,
            default_unit_code=file.unit_code,
            facility_time_zone=facility_time_zone(file),
            max_bytes=settings.IMPORT_MAX_BYTES,
            max_rows=CHECKED_ROWS if is_check else PREVIEWED_ROWS,
            is_start=is_check,
        )
    except SettingError as error:
        return Preview(error_reason="source_settings", error_message=str(error))
    return preview(content_of(file), request)


def _note_problem(file: ImportFile, result: Preview) -> None:
    """Note why a file cannot be stored with its mapping."""
    if file.error_message != result.problem:
        file.error_message = result.problem
        file.save(update_fields=["error_message"])
