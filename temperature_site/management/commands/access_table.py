"""Print or write the table of who may do what."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from typing_extensions import override

from temperature_site.dev.access_table import document

PAGE = settings.BASE_DIR / "docs" / "access.md"


class Command(BaseCommand):
    """`manage.py access_table`: the table on standard output, or in docs/access.md with --write."""

    help = "Print the table of roles, groups of staff and permissions of tokens, by action."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="Write docs/access.md instead of printing.")

    @override
    def handle(self, *args: object, **options: object) -> None:
        text = document()
        if options["write"]:
            PAGE.write_text(text, encoding="utf-8")
            self.stdout.write(f"Wrote {PAGE.relative_to(settings.BASE_DIR)}.")
        else:
            self.stdout.write(text, ending="")
