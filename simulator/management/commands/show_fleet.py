"""Show a fleet."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from typing_extensions import override

from simulator.management.arguments import add_fleet_arguments, chosen_fleet
from simulator.model.fleet import Customer


class Command(BaseCommand):
    """`manage.py show_fleet`."""

    help = "Show a fleet: its customers, and with --units their facilities and storage units."
    requires_system_checks = []

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        add_fleet_arguments(parser)
        parser.add_argument("--units", action="store_true", help="with facilities and storage units")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        chosen = chosen_fleet(options)
        for customer in chosen.customers:
            self._show(customer, with_units=options["units"])
        self.stdout.write(
            f"{len(chosen.customers)} customers, {chosen.facility_count} facilities, {chosen.unit_count} storage units"
        )

    def _show(self, customer: Customer, *, with_units: bool) -> None:
        self.stdout.write(
            f"{customer.code:<4}{customer.name:<24}{customer.template or '-':<16}{customer.data_sharing_method:<5}"
            f"every {customer.poll_seconds} s, {len(customer.facilities)} facilities, {customer.unit_count} units"
        )
        if not with_units:
            return
        for facility in customer.facilities:
            self.stdout.write(
                f"    {facility.code}  {facility.name or '-'}, {facility.city or '-'}, {facility.country}"
            )
            for unit in facility.units:
                self.stdout.write(
                    f"        {unit.code:<14}{unit.name or '-':<24}{unit.set_temperature:>7} °{unit.temperature_unit}"
                    f"{unit.size_value:>9,} {unit.size_unit}  every {unit.reading_every_seconds} s"
                )
