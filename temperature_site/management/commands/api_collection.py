"""Write the REST API as a collection of requests for Postman, Bruno and Insomnia."""

from __future__ import annotations

import json
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from temperature_site.dev.api_collection import collection

DOCS = settings.BASE_DIR / "docs"


class Command(BaseCommand):
    """`manage.py api_collection`: docs/api-collection.json from docs/openapi.json."""

    help = "Write docs/api-collection.json, the REST API's requests for Postman, Bruno and Insomnia."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, default=DOCS / "api-collection.json", help="The file to write.")

    @override
    def handle(self, *args: object, **options: object) -> None:
        path = Path(str(options["output"]))
        text = json.dumps(collection(json.loads((DOCS / "openapi.json").read_text())), indent=1, ensure_ascii=False)
        try:
            path.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"Cannot write the collection: {error}") from error
        self.stdout.write(f"Wrote {path}.")
