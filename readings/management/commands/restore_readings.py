"""Bring an archived month of readings back into the database."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date, timedelta

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from readings.storage.archive.restoring import KEPT_FOR, restore_month
from readings.storage.archive.state import ArchiveError
from readings.storage.partitions import month_of


class Command(BaseCommand):
    """Copies the readings of a month from its files to the database."""

    help = "Brings an archived month of readings back into the database."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", type=month_of, help="The month, such as 2024-03.")
        parser.add_argument(
            "--days", type=int, default=KEPT_FOR.days, help="It is not archived again before so many days (7)."
        )

    @override
    def handle(self, *args: object, month: date, days: int, **options: object) -> None:
        if days < 0:
            raise CommandError("--days must not be negative.")
        try:
            count = restore_month(month, timedelta(days=days))
        except ArchiveError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{month:%Y-%m}: {count:,} readings are in the database again.")
