"""Back up the database into a new folder."""

from __future__ import annotations

import time
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from temperature_site.operations.backup import back_up, default_folder, record_backup
from temperature_site.operations.backup_manifest import BackupError
from temperature_site.operations.postgres_programs import ProgramError, current_database, job_count


class Command(BaseCommand):
    """Writes a backup, and says what must be kept besides it."""

    help = "Back up the database, while it is in use, into a new folder below the one named."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("parent", help="the folder in which a folder for this backup is created")
        parser.add_argument("--jobs", type=job_count, default=2, help="how many tables are read at once (2)")

    @override
    def handle(self, *args: object, **options: object) -> None:
        folder = default_folder(Path(str(options["parent"])))
        began = time.monotonic()
        try:
            manifest = back_up(current_database(), folder, jobs=int(str(options["jobs"])))
        except (BackupError, ProgramError) as error:
            raise CommandError(str(error)) from error
        seconds = time.monotonic() - began
        record_backup(manifest, folder, seconds)
        self.stdout.write(
            f"{folder}: {sum(manifest.rows.values()):,} rows, {manifest.size_bytes / 1e6:,.1f} MB in {seconds:.1f} s"
        )
        self.stdout.write(f"Not included, keep them elsewhere: {', '.join(manifest.secrets)} (in .env).")
