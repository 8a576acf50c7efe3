"""Claim due rows for one worker at a time.

A claim is one conditional UPDATE that gives a due row a claim id and a lease. The message to a worker contains the
row's id and the claim id; a worker whose claim id is no longer the row's does nothing. If a message is lost, the lease
expires and the next tick claims the row again. Running two schedulers, or receiving a message twice, is harmless.

A claim's first lease covers the wait in a queue, and the message expires with it. The worker that begins with the row
replaces it, and renews the new one as long as it is working. Neither is longer than half a minute by default: no row
waits longer than that for a message that was lost or a worker that was killed. All times are by the database's clock.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import structlog
from django.conf import settings
from django.db import Error, connection, models, transaction

from core.db import clock

logger = structlog.get_logger(__name__)

Row = TypeVar("Row", bound=models.Model)

# The lease of a row that is being worked on, and how often it is renewed.
WORKING_LEASE = timedelta(seconds=25)
RENEW_EVERY_SECONDS = 8.0
# Work that has ended its worker this often in a row is not begun again until a person says so.
MAX_INTERRUPTED = 5

# FOR UPDATE in a materialized CTE locks each candidate exactly once, whatever plan joins it to the table.
_CLAIM_DUE = """
WITH due AS MATERIALIZED (
    SELECT {table}.id, {is_slow} AS is_slow
    FROM {table} {joins}
    WHERE {due_column} <= %(now)s AND (lease_until IS NULL OR lease_until <= %(now)s) AND {condition}
    ORDER BY {due_column} LIMIT %(limit)s
    FOR NO KEY UPDATE OF {table} SKIP LOCKED
)
UPDATE {table} SET claim_id = gen_random_uuid(), lease_until = %(lease_until)s {also_set}
FROM due WHERE {table}.id = due.id
RETURNING {table}.id, claim_id, due.is_slow
"""
_RENEW = """
UPDATE {table} SET lease_until = %(lease_until)s {also_set}
FROM unnest(%(ids)s::bigint[], %(claim_ids)s::uuid[]) AS held (id, claim_id)
WHERE {table}.id = held.id AND {table}.claim_id = held.claim_id AND {table}.lease_until > %(now)s
RETURNING {table}.id
"""
_RELEASE = """
UPDATE {table} SET claim_id = NULL, lease_until = NULL
FROM unnest(%(ids)s::bigint[], %(claim_ids)s::uuid[]) AS held (id, claim_id)
WHERE {table}.id = held.id AND {table}.claim_id = held.claim_id
"""


class ClaimLost(Exception):  # noqa: N818  an expected outcome: another worker has taken over
    """The row was claimed again, released or deleted since the claim was made."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a row until the lease expires."""

    row_id: int
    claim_id: uuid.UUID
    is_slow: bool = False


@dataclass(slots=True)
class Working:
    """The claims whose leases are renewed, by row. Used by two threads: replaced as a whole, never changed."""

    claims: dict[int, Claim] = field(default_factory=dict)

    def end(self, claim: Claim) -> None:
        """Renew the lease of a claim no further."""
        self.claims = {row_id: other for row_id, other in self.claims.items() if row_id != claim.row_id}


@dataclass(frozen=True, slots=True)
class LeasedTable(Generic[Row]):
    """A table with the columns `claim_id` and `lease_until`, whose due rows are claimed.

    The SQL parts see the table itself and what `joins` adds. `lease_setting` names the setting that holds the length of
    a lease in seconds; `slow_seconds` is available to `is_slow` as a parameter. `begun_column` counts how often in a
    row work was begun and neither ended nor failed, which is how often it ended the worker's process: whoever releases
    a claim sets it to 0.
    """

    model: type[Row]
    lease_setting: str
    due_column: str
    joins: str
    condition: str
    is_slow: str
    slow_seconds: float
    also_set: str = ""
    begun_column: str = ""

    def claim_due(self, *, limit: int, now: datetime | None = None) -> list[Claim]:
        """Claim up to `limit` due rows, longest overdue first, with one statement."""
        now = now or clock.database_now()
        statement = _CLAIM_DUE.format(
            table=self.model._meta.db_table,
            joins=self.joins,
            due_column=self.due_column,
            condition=self.condition,
            is_slow=self.is_slow,
            also_set=self.also_set,
        )
        parameters: dict[str, datetime | float] = {
            "now": now,
            "lease_until": now + self.lease,
            "limit": limit,
            "slow_seconds": self.slow_seconds,
        }
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [Claim(*row) for row in cursor.fetchall()]

    def claim(self, row_id: int) -> Claim | None:
        """Claim one row, due or not; return None while another lease is valid."""
        now = clock.database_now()
        claim = Claim(row_id, uuid.uuid4())
        free = self.model._default_manager.filter(pk=row_id).exclude(lease_until__gt=now)
        return claim if free.update(claim_id=claim.claim_id, lease_until=now + self.lease) else None

    def claim_for_long(self, row_id: int) -> Claim | None:
        """Claim one row with a working lease, to be renewed by `renew_all`; return None while another is valid."""
        claim = self.claim(row_id)
        return claim if claim is not None and self.renew_all([claim]) else None

    def renew_all(self, claims: Collection[Claim]) -> set[int]:
        """Renew the working leases of claims with one statement; return the rows whose claim was still valid."""
        return self._renew_all(claims, WORKING_LEASE)

    def release(self, claims: Collection[Claim]) -> None:
        """Let others claim the rows at once, with one statement. Claims that are no longer valid are passed over."""
        with connection.cursor() as cursor:
            cursor.execute(_RELEASE.format(table=self.model._meta.db_table), _ids_of(claims))

    def send_each(self, groups: Iterable[Sequence[Claim]], send: Callable[[Sequence[Claim]], object]) -> None:
        """Call `send` with each group of claims. If one cannot be sent, release it and all that follow, and raise.

        A worker that receives the message all the same finds its claims lost.
        """
        left = list(groups)
        try:
            while left:
                send(left[0])
                del left[0]
        except Exception:
            self.release([claim for group in left for claim in group])
            raise

    @contextmanager
    def work(self, claim: Claim) -> Iterator[None]:
        """Keep the claim's lease short and valid while the block runs. Raise ClaimLost if it has expired before."""
        with self.work_together([claim]) as working:
            if not working.claims:
                raise self._lost(claim)
            try:
                yield
            except Exception:
                self.note_survived(claim)
                raise

    @contextmanager
    def work_together(self, claims: Collection[Claim]) -> Iterator[Working]:
        """Keep the leases of these claims short and valid while the block runs; those that have expired are left out.

        After an exception, call `note_survived` with each claim whose work it ended.
        """
        also_set = f", {self.begun_column} = {self.model._meta.db_table}.{self.begun_column} + 1"
        held = self._renew_all(claims, WORKING_LEASE, also_set if self.begun_column else "")
        working = Working({claim.row_id: claim for claim in claims if claim.row_id in held})
        is_over = threading.Event()
        if working.claims:
            threading.Thread(target=self._keep_renewing, args=(working, is_over), daemon=True).start()
        try:
            yield working
        finally:
            is_over.set()

    def note_survived(self, claim: Claim) -> None:
        """Note that the process has survived the work on a row, although its end could not be stored."""
        if not self.begun_column:
            return
        with suppress(Error):
            own = self.model._default_manager.filter(pk=claim.row_id, claim_id=claim.claim_id)
            own.update(**{self.begun_column: 0})

    def wait_again(self, claim: Claim) -> None:
        """Give a claim that has been worked on the lease of one that waits for a worker. Raise ClaimLost."""
        if not self._renew_all([claim], self.lease):
            raise self._lost(claim)
        self.note_survived(claim)

    def _renew_all(self, claims: Collection[Claim], lease: timedelta, also_set: str = "") -> set[int]:
        now = clock.database_now()
        statement = _RENEW.format(table=self.model._meta.db_table, also_set=also_set)
        with connection.cursor() as cursor:
            cursor.execute(statement, {"now": now, "lease_until": now + lease, **_ids_of(claims)})
            return {row_id for (row_id,) in cursor.fetchall()}

    def _keep_renewing(self, working: Working, is_over: threading.Event) -> None:
        """Renew the leases now and then, by a connection of this thread. It holds none between two renewals."""
        while not is_over.wait(RENEW_EVERY_SECONDS) and (claims := working.claims):
            try:
                held = self.renew_all(claims.values())
                for row_id in claims.keys() - held:
                    working.end(claims[row_id])
            except Error as error:
                logger.warning("leases not renewed", row_ids=sorted(claims), error=str(error))
            finally:
                connection.close()

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[Row]:
        """Open a transaction in which `claim` cannot be lost and yield its row, locked. Raise ClaimLost."""
        with transaction.atomic():
            locked = self.model._default_manager.select_for_update(of=("self",), no_key=True)
            row = locked.filter(pk=claim.row_id, claim_id=claim.claim_id).first()
            if row is None:
                raise self._lost(claim)
            yield row

    @contextmanager
    def hold_together(self, claims: Collection[Claim]) -> Iterator[dict[int, Row]]:
        """Open a transaction in which claims cannot be lost; yield the rows that are still claimed, by id, locked."""
        claim_ids = {claim.row_id: claim.claim_id for claim in claims}
        with transaction.atomic():
            locked = self.model._default_manager.select_for_update(of=("self",), no_key=True)
            rows = locked.filter(pk__in=claim_ids, claim_id__in=claim_ids.values()).order_by("pk")
            yield {row.pk: row for row in rows}

    @property
    def lease(self) -> timedelta:
        """Length of the lease of a row whose message waits for a worker."""
        return timedelta(seconds=getattr(settings, self.lease_setting))

    def _lost(self, claim: Claim) -> ClaimLost:
        return ClaimLost(f"{self.model.__name__} {claim.row_id} is no longer claimed by {claim.claim_id}.")


def _ids_of(claims: Collection[Claim]) -> dict[str, list[int] | list[str]]:
    return {"ids": [claim.row_id for claim in claims], "claim_ids": [str(claim.claim_id) for claim in claims]}
