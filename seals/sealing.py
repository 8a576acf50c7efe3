"""One run of the sealing task: advance the checkpoint, chain entries, seal due days. And whether runs keep up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from django.db import connection
from django.utils import timezone

from audit.models import AuditEntry
from customers.models import Customer
from readings.storage.archive.state import ArchiveUnavailable
from readings.storage.closing import closes_at, first_day_closing_after, start_of
from readings.storage.partitions import next_month
from seals.chain import chain_entries, chain_head
from seals.checkpoint import advance_checkpoint
from seals.days import customers_with_due_days, due_day, seal_day
from seals.models import DaySeal, SettledCheckpoint

logger = structlog.get_logger(__name__)

# The task runs every minute, and an entry is chained in the second run after the transactions of its time have ended.
CHAINED_WITHIN = timedelta(minutes=10)
SEALED_WITHIN = timedelta(hours=1)


def _of_month(table: str) -> str:
    """Return SQL for the rows of a customer's units in a table of readings, at most one of each unit."""
    return f"""
        SELECT FROM facility JOIN storage_unit AS unit ON unit.facility_id = facility.id CROSS JOIN LATERAL (
            SELECT FROM {table}
            WHERE storage_unit_id = unit.id AND recorded_at >= %(start)s AND recorded_at < %(until)s LIMIT 1
        ) AS stored WHERE facility.customer_id = customer.id"""  # noqa: S608  constants only


# A customer with readings of a month, the last day of which is not sealed. What is dated ahead becomes a reading.
UNSEALED = f"""
SELECT customer_code FROM customer
WHERE NOT EXISTS (SELECT FROM day_seal WHERE day_seal.customer_id = customer.id AND day >= %(last)s)
    AND (EXISTS ({_of_month("reading")}) OR EXISTS ({_of_month("future_reading")}))
ORDER BY customer.id LIMIT 1
"""  # noqa: S608  constants only


@dataclass(slots=True)
class Sealed:
    """How many entries were chained and days sealed."""

    entries: int = 0
    days: int = 0


def seal(*, deadline: datetime | None = None) -> Sealed:
    """Chain settled entries and seal due days until none is left or the deadline has passed.

    Raise AlreadyRunning. Every step is a transaction of its own, so a run that is interrupted loses nothing. A customer
    with late readings in a file that cannot be read waits until it can be, and no other one waits for it.
    """
    checkpoint = advance_checkpoint()
    sealed = Sealed(entries=chain_entries(checkpoint.settled_entry_id))
    for customer in customers_with_due_days(checkpoint):
        try:
            while (deadline is None or timezone.now() < deadline) and (due := due_day(customer, checkpoint)):
                seal_day(due, chain_head())
                sealed.days += 1
        except ArchiveUnavailable as error:
            logger.warning("day not sealed", customer=customer and customer.pk, reason=str(error))
    return sealed


def customers_behind(now: datetime) -> int:
    """Return how many customers lack the seal of the newest day that is closed, their first one included."""
    newest_closed, began_before = _newest_closed(now)
    if not SettledCheckpoint.objects.filter(started_at__lt=began_before).exists():
        return 0
    behind = Customer.objects.filter(created_at__lt=began_before).exclude(day_seals__day__gte=newest_closed)
    return behind.count()


def is_system_behind(now: datetime) -> bool:
    """Return whether what belongs to no customer lacks the seal of the newest day that is closed."""
    newest_closed, began_before = _newest_closed(now)
    has_begun = SettledCheckpoint.objects.filter(started_at__lt=began_before).exists()
    return has_begun and not DaySeal.of(None).filter(day__gte=newest_closed).exists()


def sealing_problem(now: datetime) -> str:
    """Return why sealing does not keep up, "" if it does."""
    problems = []
    if oldest_at := _oldest_unchained_at(now - CHAINED_WITHIN):
        problems.append(f"entries of the audit trail since {oldest_at:%Y-%m-%d %H:%M:%S} UTC are not chained")
    if behind := customers_behind(now - SEALED_WITHIN):
        customers = "1 customer has" if behind == 1 else f"{behind:,} customers have"
        problems.append(f"{customers} closed days that are not sealed")
    if is_system_behind(now - SEALED_WITHIN):
        problems.append("the system's own part of the audit trail has closed days that are not sealed")
    return "; ".join(problems)


def _newest_closed(now: datetime) -> tuple[date, datetime]:
    """Return the newest day that is closed, and the instant it was: what began before it is sealed with it."""
    day = first_day_closing_after(now) - timedelta(days=1)
    return day, closes_at(day)


def _oldest_unchained_at(before: datetime) -> datetime | None:
    """Return when the oldest entry without a link was written, if that was before this instant."""
    oldest = AuditEntry.objects.filter(id__gt=chain_head().entry_id).order_by("id").first()
    return oldest.happened_at if oldest and oldest.happened_at < before else None


def objection_to_archiving(month: date) -> str | None:
    """Return why the month that begins with this day cannot be archived yet: some of its readings are not sealed.

    Seals are made from the table. Customers without readings of the month are no reason, as one that was created today:
    what they send of it later remains in the table, and is a reason, until it is sealed.
    """
    start = start_of(month)
    until = next_month(start)
    last = (until - timedelta(days=1)).date()
    with connection.cursor() as cursor:
        cursor.execute(UNSEALED, {"last": last, "start": start, "until": until})
        row = cursor.fetchone()
    return None if row is None else f"Days of the customer {row[0]} are not sealed yet."
