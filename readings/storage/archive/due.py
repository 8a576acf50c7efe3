"""Which months are to be archived, and archiving them one after the other."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import structlog
from django.db import connection
from django.utils import timezone

from core.db.clock import database_now
from readings.archive_models import ArchivedMonth, RecalledUnit
from readings.storage.archive.archiving import Objection, Outcome, archive_month
from readings.storage.archive.leftovers import drop_detached, remove_replaced_files
from readings.storage.archive.state import ARCHIVED_AFTER, AlreadyArchiving, ArchiveError, NotYet, StorageOut
from readings.storage.archive.verification import note_missing_files
from readings.storage.closing import start_of
from readings.storage.partitions import existing_partitions, next_month

logger = structlog.get_logger(__name__)

# Late readings come in many deliveries: a month is rewritten once none has come for this long.
MERGED_AFTER = timedelta(days=1)
HAS_READINGS = "SELECT EXISTS (SELECT FROM reading WHERE recorded_at >= %s AND recorded_at < %s)"
LAST_CHANGE = """
SELECT greatest(
    (SELECT max(arrived_at) FROM late_readings WHERE day >= %(first)s AND day < %(end)s),
    (SELECT max(revised_at) FROM reading_revision WHERE recorded_at >= %(start)s AND recorded_at < %(until)s)
)
"""

# Higher apps add theirs.
_objections: list[Objection] = []


def object_with(objection: Objection) -> None:
    """Ask `objection` before a month is archived."""
    _objections.append(objection)


def due_months(retention: timedelta, now: datetime | None = None) -> list[date]:
    """Return the months, by their first days, of which readings older than `retention` are to be archived, in order.

    A month is due once all of it is older. One that was restored is due again when it was kept for its time; one that
    is archived, if late readings or recalled units of it are in the table and have not changed for MERGED_AFTER.
    """
    now = now or database_now()
    until = now - max(retention, ARCHIVED_AFTER)
    stored = {each.month: each for each in ArchivedMonth.objects.all()}
    due = []
    for name in sorted(existing_partitions()):
        month = datetime.strptime(name[-7:], "%Y_%m").replace(tzinfo=UTC).date()
        if next_month(start_of(month)) <= until and _is_due(month, stored.get(month), now):
            due.append(month)
    return due


def _is_due(month: date, stored: ArchivedMonth | None, now: datetime) -> bool:
    if stored is not None and stored.restored_until is not None and stored.restored_until > now:
        return False
    start = start_of(month)
    until = next_month(start)
    with connection.cursor() as cursor:
        cursor.execute(HAS_READINGS, [start, until])
        (has_readings,) = cursor.fetchone()
        if not has_readings and not RecalledUnit.objects.filter(month_id=month).exists():
            return False
        cursor.execute(LAST_CHANGE, {"first": month, "end": until.date(), "start": start, "until": until})
        (changed_at,) = cursor.fetchone()
    return changed_at is None or changed_at <= now - MERGED_AFTER


def objection_to(month: date) -> str | None:
    """Return why a month cannot be archived yet, None if it can."""
    return next((text for text in (objection(month) for objection in _objections) if text), None)


def archive_due(retention: timedelta, *, deadline: datetime | None = None) -> list[Outcome]:
    """Archive the months that are due, the oldest first, until the deadline; return what was done.

    A month that fails keeps the reason for the health check, and the next ones are tried.
    """
    drop_detached()
    try:
        remove_replaced_files()
    except StorageOut as error:
        logger.warning("replaced files not removed", error=str(error))
    note_missing_files(database_now())
    outcomes = []
    for month in due_months(retention):
        if deadline is not None and timezone.now() > deadline:
            break
        outcome = archive_or_note(month)
        if outcome is not None:
            outcomes.append(outcome)
    return outcomes


def archive_or_note(month: date) -> Outcome | None:
    """Archive a month; if that fails, keep the reason and return None.

    What is no ArchiveError is raised as well. Raise AlreadyArchiving.
    """
    objection = objection_to(month)
    if objection is not None:
        logger.info("month not archived yet", month=f"{month:%Y-%m}", reason=objection)
        return None
    try:
        return archive_month(month, objection_to)
    except AlreadyArchiving:
        raise
    except NotYet as error:
        # No problem, and not for the health check, which everybody can read.
        logger.info("month not archived yet", month=f"{month:%Y-%m}", reason=str(error))
        return None
    except ArchiveError as error:
        _note(month, str(error))
        logger.warning("month not archived", month=f"{month:%Y-%m}", error=str(error))
        return None
    except Exception as error:
        # The health check shows it to everybody: no more than the kind of error.
        _note(month, f"It could not be archived because of a {type(error).__name__}. The logs of the worker say more.")
        logger.exception("month not archived", month=f"{month:%Y-%m}")
        raise


def _note(month: date, problem: str) -> None:
    ArchivedMonth.objects.update_or_create(month=month, defaults={"problem": problem, "failed_at": database_now()})
