"""Print or write the entity-relationship diagram of the models."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from typing_extensions import override

from temperature_site.dev.model_diagram import document

PAGE = settings.BASE_DIR / "docs" / "models.md"


class Command(BaseCommand):
    """`manage.py model_diagram`: the diagram on standard output, or in docs/models.md with --write."""

    help = "Print the entity-relationship diagram of the models as Mermaid text."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="Write docs/models.md instead of printing.")

    @override
    def handle(self, *args: object, **options: object) -> None:
        text = document()
        if options["write"]:
            PAGE.write_text(text, encoding="utf-8")
            self.stdout.write(f"Wrote {PAGE.relative_to(settings.BASE_DIR)}.")
        else:
            self.stdout.write(text, ending="")
