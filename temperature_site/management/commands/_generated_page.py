"""The base of commands that generate a page of the documentation."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from typing_extensions import override


class GeneratedPageCommand(BaseCommand):
    """Print the page, or write it to its file in docs/ with --write."""

    page: ClassVar[str]
    document: ClassVar[Callable[[], str]]

    @property
    def path(self) -> Path:
        """The file of the page."""
        path: Path = settings.BASE_DIR / "docs" / self.page
        return path

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help=f"Write docs/{self.page} instead of printing.")

    @override
    def handle(self, *args: object, **options: object) -> None:
        text = type(self).document()
        if options["write"]:
            self.path.write_text(text, encoding="utf-8")
            self.stdout.write(f"Wrote docs/{self.page}.")
        else:
            self.stdout.write(text, ending="")
