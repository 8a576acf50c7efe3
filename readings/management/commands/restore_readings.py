"""Bring an archived month of readings back into the database."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date, timedelta

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from readings.management.commands.archive_readings import month
from readings.storage.archive.restoring import KEPT_FOR, restore_month
from readings.storage.archive.state import ArchiveError

# Python's dates reach further ahead than this.
MOST_DAYS = 36_500


class Command(BaseCommand):
    """Copies the readings of a month from its files to the database."""

    help = "Brings an archived month of readings back into the database."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", type=month, help="The month, such as 2024-03.")
        parser.add_argument(
            "--days", type=int, default=KEPT_FOR.days, help="It is not archived again for this many days (7)."
        )

    @override
    def handle(self, *args: object, month: date, days: int, **options: object) -> None:
        if not 0 <= days <= MOST_DAYS:
            raise CommandError(f"--days must be from 0 to {MOST_DAYS:,}.")
        try:
            count = restore_month(month, timedelta(days=days))
        except ArchiveError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{month:%Y-%m}: {count:,} readings are in the database again.")
