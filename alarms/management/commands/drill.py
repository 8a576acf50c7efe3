"""`manage.py drill CUSTOMER`: try a customer's notifications and say how long each took."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from typing_extensions import override

from alarms import drills
from alarms.models import Drill
from customers.models import Customer

LOOK_EVERY_SECONDS = 0.5


class Command(BaseCommand):
    """`manage.py drill`."""

    help = "Has a unit that holds no goods alarm, and reports the time to each delivered notification."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's code")
        parser.add_argument(
            "--seconds", type=float, default=120.0, help="how long to wait for the results (%(default)s)"
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        customer = Customer.objects.filter(customer_code=options["customer"]).first()
        if customer is None:
            raise CommandError(f"There is no customer {options['customer']}; `status` lists all.")
        try:
            drill = drills.start(customer, by="the command line")
        except drills.DrillInProgress as under_way:
            raise CommandError(str(under_way)) from under_way
        has_ended = self._wait(drill, options["seconds"])
        self._report(drill, has_ended)

    def _wait(self, drill: Drill, seconds: float) -> bool:
        """Did the drill end within these seconds? Beat and a worker have to run."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            drills.finish_drills(timezone.now())
            drill.refresh_from_db()
            if drill.ended_at is not None:
                return True
            time.sleep(LOOK_EVERY_SECONDS)
        return False

    def _report(self, drill: Drill, has_ended: bool) -> None:
        results = drills.results(drill)
        width = max([len("channel"), *(len(result.channel) for result in results)])
        self.stdout.write(f"{'channel':<{width}}  seconds  state")
        for result in results:
            seconds = "–" if result.seconds is None else f"{result.seconds:.1f}"
            self.stdout.write(f"{result.channel:<{width}}  {seconds:>7}  {result.state}")
        if drill.alarm is None:
            raise CommandError("No alarm opened. Do beat and a worker run?")
        if not results:
            raise CommandError("The alarm opened, but no rule notifies anyone at this hour.")
        if not has_ended or any(result.seconds is None for result in results):
            raise CommandError("Not every notification was delivered.")
