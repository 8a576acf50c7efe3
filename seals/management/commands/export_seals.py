"""Export the seals of a customer with everything that they cover."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from customers.models import Customer
from readings.storage.archive.state import ArchiveUnavailable
from seals.export import write_export
from seals.management.exported_files import exported_file
from seals.models import DaySeal


class Command(BaseCommand):
    """`manage.py export_seals ACME acme.zip --since 2026-01-01 --until 2026-01-31`."""

    help = "Writes a customer's seals, readings and audit trail to an archive that can be checked without this system."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer", help="The customer's code.")
        parser.add_argument("file", type=Path)
        parser.add_argument("--since", type=date.fromisoformat, default=date.min, help="The first day, in UTC.")
        parser.add_argument("--until", type=date.fromisoformat, default=date.max, help="The last day, in UTC.")

    @override
    def handle(self, *args: object, customer: str, file: Path, since: date, until: date, **options: object) -> None:
        found = Customer.objects.filter(customer_code=customer).first()
        if found is None:
            raise CommandError(f"There is no customer with the code “{customer}”.")
        seals = DaySeal.of(found.pk).filter(day__gte=since, day__lte=until)
        try:
            with exported_file(file) as opened:
                count = write_export(found, seals, opened)
        except ArchiveUnavailable as error:
            raise CommandError(f"The export would not be complete. {error}") from error
        self.stdout.write(f"{count:,} seals written to {file}. Check them with: python3 verify_export.py {file}")
