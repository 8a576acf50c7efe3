"""Write customers' readings to files."""

from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm
from typing_extensions import override

from simulator.base.clock import SetClock
from simulator.base.instants import microseconds_of
from simulator.management.arguments import add_fleet_arguments, add_template_argument, chosen_fleet, moment
from simulator.model.simulation import SimulatedCustomer, Simulation, Window
from simulator.payloads.files import Progress, seconds_for_rows, write_csv, write_json, write_loggers
from simulator.payloads.logger_files import LOGGER_TIMES
from simulator.server.query import LONGEST_HOURS

Writer = Callable[[SimulatedCustomer, Window, Path, Progress], list[Path]]

_DEFAULT_HOURS = 24.0


class Command(BaseCommand):
    """`manage.py generate_data`."""

    help = "Write customers' readings to files: CSV downloads, JSON, or the exports of data loggers."
    requires_system_checks = []

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        add_fleet_arguments(parser)
        add_template_argument(parser)
        parser.add_argument("--to", type=moment, metavar="ISO", help="end of the period, exclusive (default now)")
        span = parser.add_mutually_exclusive_group()
        span.add_argument("--hours", type=float, help=f"length of the period (default {_DEFAULT_HOURS:g})")
        span.add_argument("--from", type=moment, dest="start", metavar="ISO", help="start of the period, inclusive")
        span.add_argument("--rows", type=int, help="a period with about this many rows in total")
        parser.add_argument("--format", choices=["csv", "json", "both", "logger"], default="csv")
        parser.add_argument("--logger-times", choices=list(LOGGER_TIMES), default="iso", help="how loggers write times")
        parser.add_argument("--output", type=Path, default=Path("generated_data"), help="the folder to write to")
        parser.add_argument("--no-progress", action="store_true", help="show no progress bar")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        end = options["to"] or datetime.now(UTC)
        simulation = Simulation(chosen_fleet(options), seed=options["seed"], clock=SetClock(end))
        customers = list(simulation.customers.values())
        end_us = microseconds_of(end)
        try:
            start_us = microseconds_of(_start(options, end, customers))
        except OverflowError as error:
            raise CommandError("the period starts before the first year") from error
        writers = _writers(options)
        windows = [served.window(start_us, end_us) for served in customers]
        expected = sum(
            served.row_count(served.all_series, window) for served, window in zip(customers, windows, strict=True)
        )
        try:
            options["output"].mkdir(parents=True, exist_ok=True)
            with tqdm(total=expected * len(writers), unit=" rows", disable=options["no_progress"]) as bar:
                paths = [
                    path
                    for served, window in zip(customers, windows, strict=True)
                    for write in writers
                    for path in write(served, window, options["output"], bar.update)
                ]
        except OSError as error:
            raise CommandError(str(error)) from error
        for path in paths:
            self.stdout.write(str(path))
        self.stdout.write(f"{expected:,} readings in {len(paths)} files")


def _start(options: dict[str, Any], end: datetime, customers: list[SimulatedCustomer]) -> datetime:
    start: datetime | None = options["start"]
    if options["rows"] is not None:
        if options["rows"] < 1:
            raise CommandError("--rows must be 1 or more")
        start = end - timedelta(seconds=seconds_for_rows(customers, options["rows"]))
    if start is None:
        hours = _DEFAULT_HOURS if options["hours"] is None else options["hours"]
        if not 0 < hours <= LONGEST_HOURS:
            raise CommandError(f"--hours must be above 0 and at most {LONGEST_HOURS:.0f}")
        start = end - timedelta(hours=hours)
    if start >= end:
        raise CommandError("the period ends before it starts")
    return start


def _writers(options: dict[str, Any]) -> list[Writer]:
    formats: dict[str, list[Writer]] = {
        "csv": [write_csv],
        "json": [write_json],
        "both": [write_csv, write_json],
        "logger": [partial(write_loggers, time_format=options["logger_times"])],
    }
    return formats[options["format"]]
