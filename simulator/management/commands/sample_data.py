"""Print a few readings of customers as their systems would send them."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from simulator.base.clock import SetClock
from simulator.base.instants import microseconds_of
from simulator.management.arguments import add_fleet_arguments, add_template_argument, chosen_fleet, moment
from simulator.model.simulation import SimulatedCustomer, Simulation, Window
from simulator.payloads.bodies import Body
from simulator.payloads.envelopes import csv_body, current_body
from simulator.payloads.files import seconds_for_rows


class Command(BaseCommand):
    """`manage.py sample_data`."""

    help = "Print the newest readings of a customer as its system would send them, to see a format or to try an import."
    requires_system_checks = []

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        add_fleet_arguments(parser)
        add_template_argument(parser)
        parser.add_argument("--count", type=int, default=10, help="about this many readings of each (default 10)")
        parser.add_argument("--format", choices=["csv", "json"], help="default: as the customer's system sends them")
        parser.add_argument("--to", type=moment, metavar="ISO", help="the newest instant, exclusive (default now)")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        if options["count"] < 1:
            raise CommandError("--count must be 1 or more")
        end = options["to"] or datetime.now(UTC)
        simulation = Simulation(chosen_fleet(options), seed=options["seed"], clock=SetClock(end))
        end_us = microseconds_of(end)
        for served in simulation.customers.values():
            span_us = seconds_for_rows([served], options["count"]) * 1_000_000
            body = _body(served, served.window(end_us - span_us, end_us), options["format"])
            if body is not None:
                text = b"".join(chunk.data for chunk in replace(body, gzip=False).chunks()).decode(body.encoding)
                self.stdout.write(text.rstrip())


def _body(served: SimulatedCustomer, window: Window, chosen_format: str | None) -> Body | None:
    """Return the readings of a window in a format, else in the customer's own; None if there are none as CSV."""
    own_format = "csv" if served.customer.data_sharing_method == "csv" else "json"
    body = csv_body if (chosen_format or own_format) == "csv" else current_body
    return body(served, window)
