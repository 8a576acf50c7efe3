"""Run an alarm drill and report how long each notification took: `manage.py drill CUSTOMER`."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from typing_extensions import override

from alarms import drills
from alarms.models import Drill
from customers.models import Customer

POLL_SECONDS = 0.5


class Command(BaseCommand):
    """Start a drill and wait for its results."""

    help = "Trigger a test alarm on a virtual unit and report the time to each delivered notification."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's code")
        parser.add_argument(
            "--seconds", type=float, default=120.0, help="how long to wait for the results (%(default)s)"
        )

    @override
    def handle(self, *args: object, **options: Any) -> None:
        if not options["seconds"] >= 0:
            raise CommandError("--seconds must not be negative.")
        customer = Customer.objects.filter(customer_code=options["customer"]).first()
        if customer is None:
            raise CommandError(f"There is no customer {options['customer']}; `status` lists all.")
        try:
            drill = drills.start(customer, by="the command line")
        except drills.DrillInProgress as error:
            raise CommandError(str(error)) from error
        has_ended = self._wait(drill, options["seconds"])
        self._report(drill, has_ended)

    def _wait(self, drill: Drill, seconds: float) -> bool:
        """Wait for the drill to end, at most for `seconds`; return whether it did. Needs a running worker."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            drills.finish_drills(timezone.now())
            drill.refresh_from_db()
            if drill.ended_at is not None:
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _report(self, drill: Drill, has_ended: bool) -> None:
        results = drills.results(drill)
        width = max([len("channel"), *(len(result.channel) for result in results)])
        self.stdout.write(f"{'channel':<{width}}  seconds  state")
        for result in results:
            seconds = "–" if result.seconds is None else f"{result.seconds:.1f}"
            self.stdout.write(f"{result.channel:<{width}}  {seconds:>7}  {result.state}")
        if drill.alarm is None:
            raise CommandError("No alarm opened. Are beat and a worker running?")
        if not results:
            raise CommandError("The alarm opened, but no rule notifies anyone at this hour.")
        if not has_ended or any(result.seconds is None for result in results):
            raise CommandError("Not every notification was delivered.")
