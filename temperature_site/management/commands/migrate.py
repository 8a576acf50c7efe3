"""Apply migrations, without keeping the running processes waiting for a lock."""

from __future__ import annotations

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.migrations import Migration
from typing_extensions import override

from core.db.conflicts import LOCK_NOT_AVAILABLE, pgcode_of

# A statement that waits to lock a table keeps all waiting that come after it.
LOCK_SECONDS = 5


class Command(migrate.Command):
    """Django's command; it gives up if another transaction, such as a backup, keeps using a table."""

    @override
    def handle(self, *args: object, **options: object) -> None:
        self._alias = str(options["database"])
        self._wait_for_locks(LOCK_SECONDS)
        try:
            super().handle(*args, **options)
        except OperationalError as error:
            if pgcode_of(error) != LOCK_NOT_AVAILABLE:
                raise
            raise CommandError(
                f"A table could not be locked within {LOCK_SECONDS} s, because another transaction uses it, such as"
                " that of a backup. Run migrate again once that has ended."
            ) from error
        self._wait_for_locks(0)

    @override
    def migration_progress_callback(self, action: str, migration: Migration | None = None, fake: bool = False) -> None:
        # What is done concurrently keeps nobody waiting, and itself waits for the transactions of all others.
        if migration is not None and not migration.atomic:
            self._wait_for_locks(0 if action.endswith("_start") else LOCK_SECONDS)
        super().migration_progress_callback(action, migration, fake)

    def _wait_for_locks(self, seconds: int) -> None:
        """Wait no longer than that for each lock; 0: without a limit."""
        # Behind PgBouncer the setting would remain for others who get the same connection.
        if not settings.PGBOUNCER:
            with connections[self._alias].cursor() as cursor:
                cursor.execute("SET lock_timeout = %s", [f"{seconds}s"])
