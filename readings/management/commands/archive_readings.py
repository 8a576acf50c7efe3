"""Move old months of readings from the database to the files of the archive."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from readings.configuration import retention
from readings.storage.archive.archiving import Outcome, archive_month
from readings.storage.archive.due import due_months, objection_to
from readings.storage.archive.leftovers import drop_detached, remove_replaced_files
from readings.storage.archive.state import ArchiveError, archived_months
from readings.storage.archive.verification import damaged_files
from readings.storage.partitions import month_of

# No reading is earlier, and none is stored so far ahead.
FIRST_YEAR, LAST_YEAR = 2000, 2100


class Command(BaseCommand):
    """Archives the months that are older than data_retention_days, or the given one."""

    help = "Moves months of readings that are older than data_retention_days from the database to files."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--month", type=month, help="Archive this month, such as 2024-03, whatever its age.")
        parser.add_argument("--list", action="store_true", help="List the archived months and those that are due.")
        parser.add_argument("--verify", action="store_true", help="Compare every file with its recorded hash.")

    @override
    def handle(self, *args: object, month: date | None, **options: object) -> None:
        if options["list"]:
            self._list()
        elif options["verify"]:
            self._verify()
        elif month is not None:
            self._archive(month)
        else:
            self._archive_due()

    def _archive_due(self) -> None:
        drop_detached()
        try:
            remove_replaced_files()
        except ArchiveError as error:
            raise CommandError(str(error)) from error
        months = due_months(retention())
        if not months:
            self.stdout.write("No month is to be archived.")
        problems = []
        for month in months:
            try:
                self._archive(month)
            except CommandError as error:  # the next months may be archived nevertheless
                problems.append(str(error))
        if problems:
            raise CommandError("\n".join(problems))

    def _archive(self, month: date) -> None:
        if (objection := objection_to(month)) is not None:
            raise CommandError(f"{month:%Y-%m} cannot be archived yet: {objection}")
        try:
            self.stdout.write(_text(archive_month(month, objection_to)))
        except ArchiveError as error:
            raise CommandError(str(error)) from error

    def _list(self) -> None:
        archived_before, due = archived_months(), due_months(retention())
        if not archived_before and not due:
            self.stdout.write("No month is archived or to be archived.")
        for archived in archived_before:
            files = archived.files.filter(replaced_at=None)
            readings, size = sum(file.reading_count for file in files), sum(file.byte_count for file in files)
            self.stdout.write(f"{archived.month:%Y-%m}  {readings:,} readings  {size:,} bytes  {len(files)} files")
        for month in due:
            self.stdout.write(f"{month:%Y-%m}  due")

    def _verify(self) -> None:
        problems = damaged_files()
        for problem in problems:
            self.stdout.write(self.style.ERROR(problem))
        if problems:
            raise CommandError(f"{len(problems):,} files of the archive cannot be used.", returncode=1)
        self.stdout.write("Every file of the archive is as it was written.")


def month(text: str) -> date:
    """Parse a month that may have readings, such as 2024-03. Raise ArgumentTypeError."""
    try:
        parsed = month_of(text)
    except ValueError as error:
        raise ArgumentTypeError(f"“{text}” is not a month such as 2024-03") from error
    if not FIRST_YEAR <= parsed.year <= LAST_YEAR:
        raise ArgumentTypeError(f"“{text}” is not a month of the years {FIRST_YEAR} to {LAST_YEAR}")
    return parsed


def _text(outcome: Outcome) -> str:
    if not outcome.file_count:
        return f"{outcome.month:%Y-%m}: nothing to archive"
    a_reading = outcome.byte_count / max(outcome.reading_count, 1)
    return (
        f"{outcome.month:%Y-%m}: {outcome.reading_count:,} readings in {outcome.file_count:,} files, "
        f"{outcome.byte_count:,} bytes, {a_reading:.1f} a reading"
    )
