"""Install the processes of the Procfile as systemd services, as `make install-service` does."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from readings.storage.archive.files import archive_storage
from temperature_site.operations.service_installation import InstallationError, plan, unreachable_folders
from temperature_site.operations.systemd_units import DOCUMENTED, TARGET, Installation, unit_files

EXAMPLES = settings.BASE_DIR / "deploy" / "systemd"


class Command(BaseCommand):
    """Shows what installing the services would do, and does it with `--apply`."""

    help = "Show the systemd units that would be installed for this checkout, and install them with --apply."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="install the units instead of only showing the steps")
        parser.add_argument("--user", default=DOCUMENTED.user, help="the system user that runs the services")
        parser.add_argument("--destdir", help="write the files below this folder and run nothing")
        parser.add_argument("--write", action="store_true", help="update the units in deploy/systemd instead")

    @override
    def handle(self, *args: object, **options: object) -> None:
        procfile = (settings.BASE_DIR / "Procfile").read_text()
        if options["write"]:
            self.write_examples(unit_files(procfile, DOCUMENTED))
            return
        installation = Installation(
            settings.BASE_DIR, settings.DATA_DIR, str(options["user"]), archive_folder_outside(settings.DATA_DIR)
        )
        destdir = Path(str(options["destdir"])) if options["destdir"] else None
        steps = plan(unit_files(procfile, installation), installation, dest_dir=destdir)
        self.stdout.write("\n".join(steps.lines()))
        for folder in unreachable_folders(settings.BASE_DIR):
            self.stderr.write(f"The user {installation.user} cannot enter {folder}: run `chmod o+x {folder}`.")
        if not options["apply"]:
            self.stdout.write("Nothing was changed. Do it: make install-service APPLY=1")
            return
        try:
            steps.apply()
        except InstallationError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Installed. Start or restart: systemctl restart {TARGET}")

    def write_examples(self, units: dict[str, str]) -> None:
        """Replace the units in deploy/systemd."""
        EXAMPLES.mkdir(exist_ok=True)
        for path in EXAMPLES.iterdir():
            path.unlink()
        for name, text in units.items():
            (EXAMPLES / name).write_text(text, encoding="utf-8")
        self.stdout.write(f"Wrote {len(units)} units to {EXAMPLES.relative_to(settings.BASE_DIR)}.")


def archive_folder_outside(data_dir: Path) -> Path | None:
    """Return the folder of archived readings, None if it is in the data directory or they are in another storage."""
    storage = archive_storage()
    if not isinstance(storage, FileSystemStorage) or Path(storage.location).is_relative_to(data_dir):
        return None
    return Path(storage.location)
