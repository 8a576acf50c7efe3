"""Arguments that several commands share."""

import argparse
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from simulator.base.instants import parse_moment
from simulator.model.fleet import Fleet
from simulator.model.fleet_file import FleetError, load_fleet, shipped_fleets
from simulator.model.templates import TEMPLATES, make_customer


def moment(text: str) -> datetime:
    """Parse an ISO 8601 instant; without an offset it is UTC."""
    try:
        return parse_moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 instant") from error


def fleet(text: str) -> Fleet:
    """Parse a fleet's name or file."""
    try:
        return load_fleet(text)
    except FleetError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def codes(text: str) -> list[str]:
    """Parse a comma-separated list of codes."""
    return [code.strip() for code in text.split(",") if code.strip()]


def add_fleet_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--fleet`, `--customers` and `--seed`."""
    shipped = ", ".join(shipped_fleets())
    parser.add_argument("--fleet", type=fleet, default="default", help=f"a fleet file, or one of {shipped}")
    parser.add_argument("--customers", type=codes, metavar="A,B", help="only these customers of the fleet")
    parser.add_argument("--seed", type=int, default=0, help="the seed that determines the readings (default 0)")


def add_template_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--template`."""
    parser.add_argument(
        "--template",
        choices=list(TEMPLATES),
        help="customers of this kind instead of a fleet's, with the codes given by --customers (default A)",
    )


def chosen_fleet(options: Mapping[str, Any]) -> Fleet:
    """Return the customers selected by `--fleet` and `--customers`, or made from `--template`. Raise CommandError."""
    if options.get("template"):
        codes = dict.fromkeys(options["customers"] or ["A"])
        return Fleet(tuple(make_customer(code, options["template"], seed=options["seed"]) for code in codes))
    whole: Fleet = options["fleet"]
    try:
        return whole.only(options["customers"]) if options["customers"] else whole
    except ValueError as error:
        raise CommandError(str(error)) from error
