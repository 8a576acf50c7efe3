"""`manage.py poll CUSTOMER`: poll a customer's sources now and print the results."""

from __future__ import annotations

from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from core.leases import ClaimLost
from customers.models import Customer
from ingestion.models import Delivery, Source
from ingestion.polling.claims import claim_now
from ingestion.polling.poll import poll
from ingestion.polling.trial import try_source

logger = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Polls a customer's sources."""

    help = "Poll a customer's sources now, whether they are due or not."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's code")
        parser.add_argument("--source", help="only the source of this name")
        parser.add_argument(
            "--dry-run", action="store_true", help="show how the responses are understood, store nothing"
        )

    @override
    def handle(self, *args: object, **options: Any) -> None:
        customer = options["customer"]
        if not Customer.objects.filter(customer_code=customer).exists():
            raise CommandError(f"There is no customer {customer}. `status` lists all customers.")
        sources = Source.objects.filter(customer__customer_code=customer).exclude(url="")
        if options["source"]:
            sources = sources.filter(name=options["source"])
        if not sources:
            raise CommandError(f"Customer {customer} has no such polled source. `status` lists all sources.")
        run = self._try if options["dry_run"] else self._poll
        failed = [source.name for source in sources.select_related("customer") if not run(source)]
        if failed:
            raise CommandError(f"Failed: {', '.join(failed)}.")

    def _poll(self, source: Source) -> bool:
        """Poll `source`, print its deliveries, and return whether all of them succeeded."""
        try:
            deliveries = poll(claim_now(source))
        except ClaimLost as lost:
            self.stderr.write(f"{source.name}: {lost}")
            return False
        except Exception as error:
            # It is a failed delivery by now; the other sources are polled nevertheless.
            logger.exception("poll failed", customer=source.customer.customer_code, source=str(source.public_id))
            self.stderr.write(f"{source.name}: {type(error).__name__} in this system. See the log for details.")
            return False
        for delivery in deliveries:
            self.stdout.write(f"{source.name}: {delivery.outcome}")
        return all(delivery.status != Delivery.Status.FAILURE for delivery in deliveries)

    def _try(self, source: Source) -> bool:
        """Print how the response of `source` is understood, and return whether it could be read."""
        result = try_source(source)
        summary, *lines = result.preview.lines()
        self.stdout.write(f"{source.name}: dry run, nothing stored: {summary}")
        for line in [*lines, *([f"response: {result.response_excerpt}"] if result.response_excerpt else [])]:
            self.stdout.write(f"  {line}")
        return result.preview.is_readable
