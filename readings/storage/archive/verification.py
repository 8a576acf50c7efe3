"""Whether the archive is as it should be: for the health check, metrics and commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Sum

from readings.archive_models import ArchivedMonth, ArchiveFile
from readings.storage.archive import files
from readings.storage.archive.state import ArchiveUnavailable, StorageOut


@dataclass(frozen=True, slots=True)
class ArchiveSize:
    """How much is archived."""

    months: int
    files: int
    readings: int
    byte_count: int


def damaged_files() -> list[str]:
    """Compare every file in the storage with its recorded hash; return what is wrong."""
    problems = []
    for file in ArchiveFile.objects.filter(replaced_at=None).order_by("month", "first_unit_id"):
        try:
            files.check_stored(file)
        except ArchiveUnavailable as error:
            problems.append(str(error))
    return problems


def archive_problem() -> str | None:
    """Return what the last run of archiving found wrong, None if nothing. One query."""
    failed = ArchivedMonth.objects.exclude(problem="").order_by("-failed_at").first()
    return None if failed is None else f"{failed.month:%Y-%m}: {failed.problem}"


def note_missing_files(now: datetime) -> None:
    """Note as a problem of their month files that are not there or have another size, and forget solved problems.

    A storage that cannot be used is noted as a problem of a month, too.
    What is in the files is compared by `damaged_files`, and by each process before it reads one.
    """
    wrong: dict[date, str] = {}
    for file in ArchiveFile.objects.filter(replaced_at=None).order_by("-first_unit_id"):
        try:
            files.check_size(file)
        except StorageOut as error:
            # Nothing is known about the other files, each of which would be waited for as long.
            ArchivedMonth.objects.filter(pk=file.month_id).update(problem=str(error), failed_at=now)
            return
        except ArchiveUnavailable as error:
            wrong[file.month_id] = str(error)
    for month in ArchivedMonth.objects.exclude(problem=""):
        if month.month not in wrong:
            ArchivedMonth.objects.filter(pk=month.pk).update(problem="", failed_at=None)
    for month_id, problem in wrong.items():
        ArchivedMonth.objects.filter(pk=month_id).update(problem=problem, failed_at=now)


def archive_size() -> ArchiveSize:
    """Return how much is archived. Two queries."""
    of_files = ArchiveFile.objects.filter(replaced_at=None).aggregate(
        files=Count("pk"), readings=Sum("reading_count"), byte_count=Sum("byte_count")
    )
    months = ArchivedMonth.objects.filter(is_archived=True).count()
    return ArchiveSize(months, of_files["files"], of_files["readings"] or 0, of_files["byte_count"] or 0)
