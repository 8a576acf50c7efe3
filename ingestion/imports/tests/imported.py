"""Imports as people and workers carry them out, for the tests of each step."""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile

from customers.models import Customer
from ingestion.imports import drafts, storing, undoing, uploads
from ingestion.models import FileImport, ImportFile

ROWS = "time,temp,note\n2026-11-20 10:00,4.5,a\n2026-11-20 10:10,25.0,b\n2026-11-20 12:10,4.5,c\n"
# Columns that nothing is recognised in.
UNKNOWN = "when,what\n2026-11-20 10:00,40.1\n2026-11-20 11:00,41\n"


def uploaded(customer: Customer, *texts: str, name: str = "fridge.csv") -> FileImport:
    """Upload files with these contents; the names of all but the first begin with their number."""
    files = [
        SimpleUploadedFile(name if not number else f"{number}{name}", text.encode())
        for number, text in enumerate(texts)
    ]
    return uploads.create_import(customer, files, by="anna")


def map_files(file_import: FileImport, **settings: str) -> FileImport:
    """Give all files of a draft these settings."""
    ImportFile.objects.filter(file_import=file_import).update(**settings)
    drafts.check_files(drafts.files_to_preview(file_import))
    return file_import


def run(file_import: FileImport) -> FileImport:
    """Store or undo the import as a worker does."""
    [claim] = storing.claim_due()
    undoing.run_claimed(claim)
    file_import.refresh_from_db()
    return file_import


def store(file_import: FileImport) -> FileImport:
    """Have a draft stored, and store it."""
    assert drafts.store(file_import)
    return run(file_import)


def stored(customer: Customer, *texts: str, name: str = "fridge.csv") -> FileImport:
    """Upload files and store them."""
    return store(uploaded(customer, *texts, name=name))


def undo(file_import: FileImport, reason: str = "The wrong fridge.") -> FileImport:
    """Have a stored import undone, and undo it."""
    assert undoing.undo(file_import, by="anna", reason=reason)
    return run(file_import)


def first_file(file_import: FileImport) -> ImportFile:
    """Return the first file that is not stored."""
    return drafts.files_to_preview(file_import)[0]
