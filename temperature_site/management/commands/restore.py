"""Restore a backup into an empty database."""

from __future__ import annotations

import time
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from temperature_site.operations.backup import restore
from temperature_site.operations.backup_manifest import BackupError
from temperature_site.operations.postgres_programs import ProgramError, current_database, job_count


class Command(BaseCommand):
    """Restores a backup into the database of the settings, which must be empty, and compares the row counts."""

    help = "Restore a backup of `manage.py backup` into the database of DATABASE_URL, which must be empty."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", help="the backup's folder, which contains manifest.json")
        parser.add_argument("--jobs", type=job_count, default=2, help="how many tables are written at once (2)")

    @override
    def handle(self, *args: object, **options: object) -> None:
        began = time.monotonic()
        try:
            manifest = restore(current_database(), Path(str(options["folder"])), jobs=int(str(options["jobs"])))
        except (BackupError, ProgramError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Restored the state of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC: {sum(manifest.rows.values()):,} rows in"
            f" {len(manifest.rows)} tables, all compared, in {time.monotonic() - began:.1f} s."
        )
        if manifest.archive_files:
            self.stdout.write(
                f"It needs {len(manifest.archive_files):,} files of archived readings, which manifest.json lists. Put"
                " them in place and run `manage.py archive_readings --verify`."
            )
        self.stdout.write(f"Set {', '.join(manifest.secrets)} to their values of then, and run migrate.")
