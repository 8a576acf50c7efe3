"""Create an API token and print it once."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from typing_extensions import override

from customers.access.tokens import create_token
from customers.models import ApiToken, Customer, StorageUnit

# Python's dates reach further ahead than this.
MOST_DAYS = 36_500


class Command(BaseCommand):
    """`manage.py create_token CUSTOMER NAME --permission read`."""

    help = "Create an API token of a customer and print it. It is not stored and cannot be shown again."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's code")
        parser.add_argument("name", metavar="NAME", help="what the token is for")
        parser.add_argument(
            "--permission", action="append", required=True, choices=ApiToken.Permission.values, help="may be repeated"
        )
        parser.add_argument(
            "--unit",
            action="append",
            default=[],
            metavar="CODE",
            help="the only units it may see, by UNIT or FACILITY/UNIT code; may be repeated",
        )
        expiry = parser.add_mutually_exclusive_group()
        expiry.add_argument("--expires", type=instant, metavar="ISO", help="when it expires; UTC without an offset")
        expiry.add_argument("--days", type=positive, metavar="N", help="in how many days it expires")
        parser.add_argument("--rate-limit", type=positive, metavar="N", help="requests an hour")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            customer = Customer.objects.get(customer_code=options["customer"])
        except Customer.DoesNotExist as error:
            raise CommandError(f"There is no customer {options['customer']}.") from error
        expires_at = options["expires"]
        if options["days"]:
            if options["days"] > MOST_DAYS:
                raise CommandError(f"--days must be at most {MOST_DAYS:,}; without it the token never expires.")
            expires_at = timezone.now() + timedelta(days=options["days"])
        if expires_at and expires_at <= timezone.now():
            raise CommandError("The token would have expired already.")
        try:
            token, text = create_token(
                customer,
                options["name"],
                options["permission"],
                units=[unit_of(customer, code) for code in options["unit"]],
                rate_limit_per_hour=options["rate_limit"],
                expires_at=expires_at,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        # Only the token goes to standard output, so that scripts can use it.
        self.stderr.write(f"Token “{token.token_name}” of {customer}. It is shown only once:")
        self.stdout.write(text)


def unit_of(customer: Customer, code: str) -> StorageUnit:
    """Return the customer's unit with this UNIT or FACILITY/UNIT code. Raise CommandError unless exactly one."""
    facility_code, slash, unit_code = code.rpartition("/")
    units = StorageUnit.objects.filter(facility__customer=customer, unit_code=unit_code).select_related("facility")
    if slash:
        units = units.filter(facility__facility_code=facility_code)
    found: list[StorageUnit] = list(units)
    if not found:
        raise CommandError(f"{customer.customer_code} has no storage unit {code}.")
    if len(found) > 1:
        ways = ", ".join(f"{unit.facility.facility_code}/{unit.unit_code}" for unit in found)
        raise CommandError(f"{customer.customer_code} has several storage units {code}; specify one of {ways}.")
    return found[0]


def instant(text: str) -> datetime:
    """Parse an ISO 8601 instant. Raise ArgumentTypeError."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"“{text}” is not a time such as 2027-01-31 or 2027-01-31T12:00:00+01:00") from error
    known = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    try:
        return known.astimezone(UTC)
    except OverflowError as error:
        raise ArgumentTypeError(f"“{text}” is no date in UTC") from error


def positive(text: str) -> int:
    """Parse a whole number above 0. Raise ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError(f"“{text}” is not a whole number above 0")
    return int(text)
