"""Write the REST API's documentation into one file that needs no network."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from temperature_site.redoc import offline_page

DOCS = settings.BASE_DIR / "docs"


class Command(BaseCommand):
    """`manage.py offline_api_page`: docs/api-offline.html from docs/openapi.json."""

    help = "Write docs/api-offline.html, the REST API's documentation in one file that needs no network."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, default=DOCS / "api-offline.html", help="The file to write.")

    @override
    def handle(self, *args: object, **options: object) -> None:
        path = Path(str(options["output"]))
        try:
            path.write_text(offline_page((DOCS / "openapi.json").read_bytes()), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"Cannot write the page: {error}") from error
        self.stdout.write(f"Wrote {path}, {path.stat().st_size:,} bytes.")
