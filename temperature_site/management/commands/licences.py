"""Print or write the list of the dependencies' licences."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from typing_extensions import override

from temperature_site.dev.licences import document

PAGE = settings.BASE_DIR / "docs" / "licences.md"


class Command(BaseCommand):
    """`manage.py licences`: the list on standard output, or in docs/licences.md with --write."""

    help = "Print the licences of the packages that the system runs on."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="Write docs/licences.md instead of printing.")

    @override
    def handle(self, *args: object, **options: object) -> None:
        text = document()
        if options["write"]:
            PAGE.write_text(text, encoding="utf-8")
            self.stdout.write(f"Wrote {PAGE.relative_to(settings.BASE_DIR)}.")
        else:
            self.stdout.write(text, ending="")
