"""Verify that the audit trail and the readings are as they were chained and sealed."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from typing_extensions import override

from customers.models import Customer
from seals.sealing import customers_behind
from seals.verification.roots import KnownRoots, read_roots
from seals.verification.verify import Verification


class Command(BaseCommand):
    """Prints each finding on a line of its own; the exit code is 1 if there are any."""

    help = "Finds every edit, insertion, deletion and reordering of the audit trail and of sealed readings."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", help="Verify the readings and seals of this customer only, by its code.")
        parser.add_argument("--roots", type=Path, help="A file written by export_roots to compare the seals with.")

    @override
    def handle(self, *args: object, customer: str | None, roots: Path | None, **options: object) -> None:
        customers = Customer.objects.order_by("customer_code")
        if customer is not None:
            customers = customers.filter(customer_code=customer)
            if not customers:
                raise CommandError(f"There is no customer with the code “{customer}”.")
        verification = Verification(customers, includes_system=customer is None, known_roots=_known(roots))
        count = 0
        for count, finding in enumerate(verification.findings(), 1):  # noqa: B007  counts
            self.stdout.write(self.style.ERROR(str(finding)))
        verified = (
            f"{verification.link_count:,} entries, {verification.seal_count:,} seals, "
            f"{verification.reading_count:,} readings of {verification.unit_count:,} storage units verified"
        )
        if behind := customers_behind(timezone.now()):
            self.stdout.write(f"{behind:,} customers have closed days that are not sealed yet.")
        if count:
            raise CommandError(f"{verified}: {count:,} findings.", returncode=1)
        self.stdout.write(f"{verified}: nothing was changed.")


def _known(path: Path | None) -> KnownRoots:
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return read_roots(file)
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} can't be read: {error}") from error
