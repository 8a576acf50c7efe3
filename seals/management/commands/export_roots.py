"""Write the roots of the seals to a file that is kept outside the database."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from customers.models import Customer
from seals.management.exported_files import exported_file
from seals.models import DaySeal
from seals.verification.roots import root_lines


class Command(BaseCommand):
    """`manage.py export_roots roots.csv`; `manage.py verify_trail --roots roots.csv` compares."""

    help = "Writes the root of every seal to a CSV file, to be kept where this system can't change it."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--customer", help="Only those of this customer, by its code.")

    @override
    def handle(self, *args: object, file: Path, customer: str | None, **options: object) -> None:
        seals = DaySeal.objects.all()
        if customer is not None:
            found = Customer.objects.filter(customer_code=customer).first()
            if found is None:
                raise CommandError(f"There is no customer with the code “{customer}”.")
            seals = DaySeal.of(found.pk)
        with exported_file(file) as opened:
            opened.writelines(piece.encode() for piece in root_lines(seals))
        self.stdout.write(f"{seals.count():,} roots written to {file}.")
