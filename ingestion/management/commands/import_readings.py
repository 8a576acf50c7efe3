"""`manage.py import_readings CUSTOMER FILE...`: import readings from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm
from typing_extensions import override

from customers.models import Customer
from ingestion.loading.file_import import MAX_FILE_BYTES, FileResult, import_file
from ingestion.models import Source
from ingestion.parsing.rejection_reasons import printable
from ingestion.previews.preview import PreviewRequest, preview
from ingestion.sources import SettingError
from ingestion.sources.mapping import FieldMapping


class Command(BaseCommand):
    """Imports readings from files."""

    help = (
        "Import readings from files: CSV, JSON or data logger exports, optionally gzipped. "
        "Importing a file twice is harmless."
    )

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's code")
        parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
        parser.add_argument(
            "--dry-run", action="store_true", help="show how the files are understood without storing anything"
        )
        parser.add_argument("--source", help="the source whose field mapping describes the files")
        parser.add_argument(
            "--accept-old-readings",
            action="store_true",
            help="store rows from years ago, which otherwise wait for review because a clock may have been reset",
        )
        parser.add_argument("--unit", default="", help="the unit of rows without one (default: the file's name)")

    @override
    def handle(self, *args: object, **options: Any) -> None:
        customer = Customer.objects.filter(customer_code=options["customer"]).first()
        if customer is None:
            raise CommandError(f"No customer {options['customer']}. `status` lists all customers.")
        source = self._source(customer, options["source"])
        failed = 0
        for path in options["files"]:
            failed += not self._import(path, customer, source, options)
        if failed:
            raise CommandError(f"{failed} of {len(options['files'])} files could not be imported.")

    def _source(self, customer: Customer, name: str | None) -> Source | None:
        if name is None:
            return None
        source: Source | None = Source.objects.filter(customer=customer, name=name).first()
        if source is None:
            raise CommandError(f"{customer.customer_code} has no source “{name}”. `status` lists all sources.")
        return source

    def _import(self, path: Path, customer: Customer, source: Source | None, options: dict[str, Any]) -> bool:
        """Import one file and print the result; return whether it could be imported."""
        if options["dry_run"]:
            return self._preview(path, customer, source, options)
        try:
            size_bytes = path.stat().st_size
            with tqdm(total=size_bytes, desc=path.name, unit="B", unit_scale=True, file=self.stderr._out) as bar:
                result = import_file(
                    path,
                    customer,
                    source=source,
                    default_unit_code=options["unit"],
                    mapping=_mapping(source, accepts_old=options["accept_old_readings"]),
                    progress=bar.update,
                )
        except (OSError, SettingError) as error:
            self.stderr.write(f"{path}: {error}")
            return False
        self._report(result)
        return not result.is_failure

    def _preview(self, path: Path, customer: Customer, source: Source | None, options: dict[str, Any]) -> bool:
        """Print how one file is understood; return whether it can be read."""
        try:
            request = PreviewRequest(
                customer=customer,
                source=source,
                mapping=_mapping(source, accepts_old=options["accept_old_readings"]),
                file_name=path.name,
                default_unit_code=options["unit"],
                max_bytes=MAX_FILE_BYTES,
                max_rows=None,
            )
            with path.open("rb") as file:
                result = preview(file, request)
        except (OSError, SettingError) as error:
            self.stderr.write(f"{path}: {error}")
            return False
        summary, *lines = result.lines()
        self.stdout.write(f"{path}: dry run, nothing stored: {summary}")
        for line in lines:
            self.stdout.write(f"  {line}")
        return result.is_readable

    def _report(self, result: FileResult) -> None:
        self.stdout.write(f"{result.path}: {result.delivery.outcome}")
        for note in result.delivery.notes:
            self.stdout.write(f"  note: {printable(note)}")
        for row in result.examples:
            self.stdout.write(f"  row {row.row_number} ({row.reason.label}): {row.message}")
            self.stdout.write(f"    {printable(row.raw[:200])}")
        hidden = result.delivery.records_rejected - len(result.examples)
        if hidden:
            self.stdout.write(f"  and {hidden} more rejected rows.")


def _mapping(source: Source | None, *, accepts_old: bool) -> FieldMapping:
    mapping = source.mapping if source else FieldMapping()
    return replace(mapping, accepts_old_readings=mapping.accepts_old_readings or accepts_old)
