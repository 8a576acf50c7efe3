"""Generate a fleet from the templates and write it to a file."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from simulator.model.fleet_file import load_fleet, save_fleet
from simulator.model.templates import TEMPLATES, make_fleet


class Command(BaseCommand):
    """`manage.py generate_fleet`."""

    help = "Generate a fleet of customers from the templates and write it to a file, for example for runsimulator."
    requires_system_checks = []

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the file to write")
        parser.add_argument("--count", type=int, default=10, help="number of customers (default 10)")
        shares = ",".join(f"{name}={template.share_percent}" for name, template in TEMPLATES.items())
        parser.add_argument("--mix", type=_mix, metavar="TEMPLATE=SHARE,...", help=f"default {shares}")
        parser.add_argument("--seed", type=int, default=0, help="the seed that determines the fleet (default 0)")
        parser.add_argument("--assignment", action="store_true", help="write the two customers of the assignment")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["assignment"]:
                fleet = load_fleet("assignment")
            else:
                fleet = make_fleet(options["count"], mix=options["mix"], seed=options["seed"])
            save_fleet(fleet, options["file"])
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{options['file']}: {len(fleet.customers)} customers, {fleet.facility_count} facilities, "
            f"{fleet.unit_count} storage units"
        )


def _mix(text: str) -> dict[str, float]:
    mix = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            mix[name.strip()] = float(share)
        except ValueError as error:
            raise ArgumentTypeError(f"{part!r} is not template=share") from error
    return mix
