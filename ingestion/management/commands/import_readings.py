"""`manage.py import_readings CUSTOMER FILE...`: store readings from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from customers.models import Customer
from ingestion.loading.file_import import FileOutcome, import_file
from ingestion.models import Source
from ingestion.sources.mapping import MappingError


class Command(BaseCommand):
    help = "Stores readings from files (CSV, JSON, loggers' exports, gzip too). Importing a file twice changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's code")
        parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="show what would become of every row, store nothing")
        parser.add_argument("--source", help="the source whose field mapping describes the files")
        parser.add_argument("--unit", default="", help="the unit of rows that name none; the file's name by default")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = Customer.objects.filter(customer_code=options["customer"]).first()
        if customer is None:
            raise CommandError(f"There is no customer {options['customer']}; `status` lists them.")
        source = self._source(customer, options["source"])
        failed = 0
        for path in options["files"]:
            failed += not self._import(path, customer, source, options)
        if failed:
            raise CommandError(f"{failed} of {len(options['files'])} files could not be imported.")

    def _source(self, customer: Customer, name: str | None) -> Source | None:
        if name is None:
            return None
        source = Source.objects.filter(customer=customer, name=name).first()
        if source is None:
            raise CommandError(f"{customer.customer_code} has no source “{name}”; `status` lists them.")
        return source

    def _import(self, path: Path, customer: Customer, source: Source | None, options: dict[str, Any]) -> bool:
        """Import one file and print what became of it; return whether it could be imported."""
        try:
            size_bytes = path.stat().st_size
            with tqdm(total=size_bytes, desc=path.name, unit="B", unit_scale=True, file=self.stderr._out) as bar:
                outcome = import_file(
                    path,
                    customer,
                    source=source,
                    default_unit_code=options["unit"],
                    is_dry_run=options["dry_run"],
                    progress=bar.update,
                )
        except (OSError, MappingError) as error:
            self.stderr.write(f"{path}: {error}")
            return False
        self._report(outcome, is_dry_run=options["dry_run"])
        return not outcome.is_failure

    def _report(self, outcome: FileOutcome, *, is_dry_run: bool) -> None:
        would = "dry run, nothing is stored; would be " if is_dry_run else ""
        self.stdout.write(f"{outcome.path}: {would}{outcome.delivery.outcome}")
        for row in outcome.examples:
            self.stdout.write(f"  row {row.row_number} ({row.reason}): {row.message}")
            self.stdout.write(f"    {row.raw[:200]}")
        hidden = sum(outcome.reasons.values()) - len(outcome.examples)
        if hidden:
            self.stdout.write(f"  and {hidden} more rejected rows.")
