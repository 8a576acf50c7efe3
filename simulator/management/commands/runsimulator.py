"""Serve simulated customers over HTTP."""

import asyncio
import os
from argparse import ArgumentParser
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from simulator.base.clock import Clock, RealClock, RunningClock
from simulator.management.arguments import add_fleet_arguments, chosen_fleet, moment
from simulator.model.fleet import Fleet
from simulator.model.simulation import Simulation
from simulator.model.transport import TransportError, TransportSettings
from simulator.server.run import FIRST_PORT, Address, Ports, serve_until_signal

# With more customers, one port each is too much to ask of a machine.
_MOST_PORTS = 100


class Command(BaseCommand):
    """`manage.py runsimulator`."""

    help = "Serve fictional customers' systems over HTTP until SIGINT or SIGTERM."
    requires_system_checks = []

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        add_fleet_arguments(parser)
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument(
            "--port",
            type=int,
            help=f"the first customer's port (default SIMULATOR_PORT or {FIRST_PORT}); 0: any free ports",
        )
        parser.add_argument(
            "--single-port", action="store_true", help="all customers on one port, under /c/<customer>/"
        )
        parser.add_argument("--clock-start", type=moment, metavar="ISO", help="the simulated time at the start")
        parser.add_argument("--clock-stop", type=moment, metavar="ISO", help="the simulated time at which to stop")
        parser.add_argument("--speed", type=float, default=1.0, help="how fast simulated time runs (default 1)")
        parser.add_argument(
            "--transport",
            action="append",
            default=[],
            metavar="[A,B:]NAME=NUMBER,...",
            help="transport faults of these customers or of all, e.g. cut_off=0.1 or A:hang=0.2,hang_seconds=30",
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        fleet: Fleet = options["fleet"]
        positions = {customer.code: position for position, customer in enumerate(fleet.customers)}
        chosen = chosen_fleet(options)
        ports = _ports(options, chosen)
        try:
            for text in options["transport"]:
                chosen = _with_transport(chosen, text)
            simulation = Simulation(chosen, seed=options["seed"], clock=_clock(options))
        except ValueError as error:
            raise CommandError(str(error)) from error
        try:
            asyncio.run(serve_until_signal(simulation, ports, positions, self._announce))
        except (OSError, OverflowError) as error:
            raise CommandError(f"cannot listen: {error}") from error

    def _announce(self, addresses: list[Address]) -> None:
        for address in addresses:
            self.stdout.write(address.line())
        self.stdout.flush()


def _clock(options: dict[str, Any]) -> Clock:
    start, stop, speed = options["clock_start"], options["clock_stop"], options["speed"]
    if start is None and stop is None and speed == 1.0:
        return RealClock()
    return RunningClock(start or datetime.now(UTC), stop=stop, speed=speed)


def _ports(options: dict[str, Any], fleet: Fleet) -> Ports:
    first = options["port"]
    if first is None:
        text = os.environ.get("SIMULATOR_PORT", str(FIRST_PORT))
        if not text.isdecimal():
            raise CommandError(f"SIMULATOR_PORT must be a port number, not {text!r}")
        first = int(text)
    single = options["single_port"] or len(fleet.customers) > _MOST_PORTS
    return Ports(first=first, host=options["host"], single=single)


def _with_transport(fleet: Fleet, text: str) -> Fleet:
    """Return the fleet with `[customers:]settings` applied. Raise ValueError."""
    named, colon, settings_text = text.rpartition(":")
    if colon and not named:
        raise TransportError(f"{text!r} has no customer before the colon")
    settings = TransportSettings.from_text(settings_text)
    targets = fleet.only(code.strip() for code in named.split(",")) if named else fleet
    codes = {customer.code for customer in targets.customers}
    return Fleet(tuple(replace(each, transport=settings) if each.code in codes else each for each in fleet.customers))
