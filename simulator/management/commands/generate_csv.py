"""Write CSV files of the customers in chosen fleet files."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from simulator.model.fleet_file import FleetError, load_fleet


class Command(BaseCommand):
    """`manage.py generate_csv`."""

    help = "Write a CSV file for every customer of the chosen fleet files, as generate_data does for one fleet."
    requires_system_checks = []

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", metavar="FILE", nargs="+", help="fleet files, such as generate_fleet writes")
        parser.add_argument("--hours", type=float, default=24.0, help="length of the span (default 24)")
        parser.add_argument("--to", metavar="ISO", help="end of the span, exclusive (default now)")
        parser.add_argument("--output", type=Path, default=Path("generated_data"), help="a folder to write into")
        parser.add_argument("--seed", type=int, default=0, help="another seed, other readings (default 0)")
        parser.add_argument("--no-progress", action="store_true", help="without the progress bar")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_shared_codes(options["files"])
        for file in options["files"]:
            arguments = ["--fleet", file, "--hours", str(options["hours"]), "--seed", str(options["seed"])]
            arguments += ["--to", options["to"]] if options["to"] else []
            arguments += ["--no-progress"] if options["no_progress"] else []
            call_command("generate_data", *arguments, "--output", str(options["output"]), stdout=self.stdout)


def _refuse_shared_codes(files: list[str]) -> None:
    """Raise CommandError if two files have a customer of the same code, whose CSV files would replace each other."""
    found: dict[str, str] = {}
    for file in files:
        try:
            fleet = load_fleet(file)
        except FleetError as error:
            raise CommandError(str(error)) from error
        for customer in fleet.customers:
            if customer.code in found:
                raise CommandError(f"{found[customer.code]} and {file} both have a customer {customer.code}.")
            found[customer.code] = file
