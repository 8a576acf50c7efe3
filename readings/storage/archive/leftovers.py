"""What archiving leaves behind and removes later: detached partitions, and files that do not count any more."""

from __future__ import annotations

from datetime import date, timedelta

import structlog
from django.db import connection, transaction

from core.db.clock import database_now
from readings.archive_models import ArchiveFile
from readings.storage.archive.files import archive_storage, folder_of, using_storage
from readings.storage.archive.state import AlreadyArchiving
from readings.storage.closing import start_of
from readings.storage.partitions import partition_name

logger = structlog.get_logger(__name__)

# Serialises runs.
ARCHIVING_LOCK = 7_202_612
# For backups of the database that were begun before: they refer to the files that counted then.
KEPT_AFTER_REPLACEMENT = timedelta(days=7)
DETACHED = r"SELECT relname FROM pg_class WHERE relname ~ '^reading_[0-9]{4}_[0-9]{2}_archived$' AND relkind = 'r'"


def lock_archiving() -> None:
    """Keep others from archiving, and from removing files, until the transaction ends. Raise AlreadyArchiving."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ARCHIVING_LOCK])
        if not cursor.fetchone()[0]:
            raise AlreadyArchiving("Another run is archiving readings. Wait for its end.")


def drop_detached(month: date | None = None) -> list[str]:
    """Drop the detached partition of a month, or of every month; return the names of those dropped.

    A partition is detached in the transaction in which its files take effect, so its readings are in verified files.
    """
    with connection.cursor() as cursor:
        cursor.execute(DETACHED)
        found = sorted(name for (name,) in cursor.fetchall())
        if month is not None:
            found = [name for name in found if name == f"{partition_name(start_of(month))}_archived"]
        for name in found:
            cursor.execute("SELECT drop_detached_partition(%s)", [name])
    return found


@transaction.atomic
def remove_replaced_files() -> None:
    """Remove the files of every month that were replaced a while ago. Raise AlreadyArchiving or StorageOut."""
    lock_archiving()
    expired = ArchiveFile.objects.filter(replaced_at__lt=database_now() - KEPT_AFTER_REPLACEMENT)
    for month in sorted(set(expired.values_list("month_id", flat=True))):
        remove_unused_files(month)


def remove_unused_files(month: date) -> list[str]:
    """Remove the files of a month that were replaced a while ago, or never took effect; return their names.

    Raise StorageOut. Call it under `lock_archiving`: what another run is writing has not taken effect yet.
    """
    ArchiveFile.objects.filter(month_id=month, replaced_at__lt=database_now() - KEPT_AFTER_REPLACEMENT).delete()
    storage = archive_storage()
    folder = folder_of(month)
    known = set(ArchiveFile.objects.filter(month_id=month).values_list("name", flat=True))
    with using_storage():
        try:
            _, names = storage.listdir(folder)
        except FileNotFoundError:
            return []
        unused = sorted(name for name in (f"{folder}/{each}" for each in names) if name not in known)
        for name in unused:
            storage.delete(name)
            logger.info("file of the archive removed", name=name)
    return unused
