"""Load readings pushed by customers' systems, which name units by their public ids."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import polars as pl
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from psycopg2.errors import QueryCanceled

from core.db.compiled_queries import PUBLIC_IDS, CompiledObjectQuery, CompiledQuery
from core.scope import Scope
from customers.access.lookup import public_id_in
from customers.models import Customer, StorageUnit
from ingestion.loading.load import LoadRequest, LoadResult, load
from ingestion.models import IngestionType
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import ParsedBatch, RejectedReading

# Further errors are only counted; they usually repeat the same mistake.
MAX_ERRORS = 1_000


@dataclass(slots=True)
class PushResult:
    """The counts of a push: each received row is stored, a duplicate, a conflict or rejected."""

    received: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    errors: list[RejectedReading] = field(default_factory=list)

    def count(self, load_result: LoadResult) -> None:
        """Add the counts of a delivery."""
        delivery = load_result.delivery
        self.received += delivery.records_processed
        self.stored += delivery.records_stored
        self.duplicates += delivery.records_duplicate
        self.conflicts += delivery.records_conflicting
        self.rejected += delivery.records_rejected


@dataclass(frozen=True, slots=True)
class _Unit:
    facility_code: str
    unit_code: str
    customer_id: int
    customer_public_id: UUID


class PushTooSlow(Exception):  # noqa: N818  (describes the push, as in "except PushTooSlow")
    """Storing a push took too long, usually because it waited for others that store to the same units."""

    def __init__(self) -> None:
        seconds = settings.PUSH_SECONDS
        super().__init__(f"The push took longer than {seconds} s. Nothing was stored; repeat it in smaller pushes.")


def push(
    scope: Scope,
    batches: Sequence[ParsedBatch],
    *,
    own_customer_id: int | None,
    received_at: datetime,
    size_bytes: int = 0,
) -> PushResult:
    """Load rows whose `unit_code` is a public id, in one transaction of at most about PUSH_SECONDS.

    Raise PushTooSlow, or UnreadableBody (too_large) if too many rows contradict stored readings.
    """
    with limited_time() as deadline:
        return _push(
            scope,
            batches,
            own_customer_id=own_customer_id,
            received_at=received_at,
            size_bytes=size_bytes,
            deadline=deadline,
        )


@contextmanager
def limited_time() -> Iterator[float]:
    """Begin a transaction of at most about PUSH_SECONDS; yield its deadline for `in_time`. Raise PushTooSlow."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:  # of each statement; `in_time` sees to their number
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{settings.PUSH_SECONDS}s"])
            yield time.monotonic() + settings.PUSH_SECONDS
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise PushTooSlow from error
        raise


def in_time(batches: Iterable[ParsedBatch], deadline: float) -> Iterator[ParsedBatch]:
    """Yield the batches. Raise PushTooSlow if the deadline has passed."""
    for batch in batches:
        if time.monotonic() > deadline:
            raise PushTooSlow
        yield batch


def _push(
    scope: Scope,
    batches: Sequence[ParsedBatch],
    *,
    own_customer_id: int | None,
    received_at: datetime,
    size_bytes: int,
    deadline: float,
) -> PushResult:
    """Load the rows.

    Units outside `scope` are unknown. Rejected rows are returned, not saved, because the sender can correct them at
    once. Each customer whose units are named gets a delivery; rejected rows count for the first of them, or for
    `own_customer_id`.
    """
    units = _units(scope, batches)
    pushed = PushResult()
    for index, customer in enumerate(_customers(scope, units, own_customer_id)):
        resolved = [_with_codes(batch, units, customer, with_rejected=index == 0) for batch in batches]
        if customer is None:  # pushed by staff without any known unit
            pushed.rejected = pushed.received = sum(len(batch.rejected) for batch in resolved)
            pushed.errors = [row for batch in resolved for row in batch.rejected][:MAX_ERRORS]
            continue
        load_request = LoadRequest(
            customer=customer,
            ingestion_type=IngestionType.PUSH,
            started_at=received_at,
            received_at=received_at,
            size_bytes=size_bytes,
        )
        result = load(
            load_request, in_time(resolved, deadline), keeps_rejected=False, max_rejected_per_reason=MAX_ERRORS
        )
        pushed.count(result)
        pushed.errors += result.rejected
    pushed.errors = sorted(pushed.errors, key=lambda row: row.row_number)[:MAX_ERRORS]
    return pushed


def _units(scope: Scope, batches: Sequence[ParsedBatch]) -> dict[str, _Unit]:
    """Return the known units by the text that names them. One query."""
    texts = {text for batch in batches for text in batch.readings["unit_code"].to_list()}
    by_id: dict[UUID, list[str]] = {}
    for text in texts:
        by_id.setdefault(public_id_in(text), []).append(text)
    rows = _UNITS.visible_to(scope).with_public_ids(by_id)
    return {text: _Unit(*rest) for public_id, *rest in rows for text in by_id[public_id]}


def _visible_units(scope: Scope) -> QuerySet[StorageUnit, tuple[UUID, str, str, int, UUID]]:
    units = StorageUnit.objects.visible_to(scope).filter(public_id__any_of=PUBLIC_IDS).order_by()
    customer = ("facility__customer_id", "facility__customer__public_id")
    return units.values_list("public_id", "facility__facility_code", "unit_code", *customer)


_UNITS = CompiledQuery(_visible_units, is_look_up=True)
_CUSTOMER = CompiledObjectQuery(Customer)


def _customers(scope: Scope, units: dict[str, _Unit], own_customer_id: int | None) -> list[Customer | None]:
    """Return the customers of these units by id, or without any that of the sender, None for staff."""
    public_ids = {unit.customer_id: unit.customer_public_id for unit in units.values()}
    if public_ids:
        return [_CUSTOMER.visible_to(scope, public_ids[each]) for each in sorted(public_ids)]
    return [None if own_customer_id is None else Customer.objects.get(pk=own_customer_id)]


def _with_codes(
    batch: ParsedBatch, units: dict[str, _Unit], customer: Customer | None, *, with_rejected: bool
) -> ParsedBatch:
    """Return the customer's part of a batch with unit codes in place of public ids."""
    own = {text: unit for text, unit in units.items() if customer is not None and unit.customer_id == customer.pk}

    def with_codes(rows: pl.DataFrame) -> pl.DataFrame:
        texts = rows["unit_code"].to_list()
        if not own.keys() >= set(texts):
            rows = rows.filter(pl.Series([text in own for text in texts], dtype=pl.Boolean))
            texts = [text for text in texts if text in own]
        codes = {
            name: pl.Series(name, [getattr(own[text], name) for text in texts], dtype=pl.String)
            for name in ("facility_code", "unit_code")
        }
        # Not by an expression: planning one takes 0.1 ms or more, and most pushes have one row.
        return pl.DataFrame([codes[name] if name in codes else rows[name] for name in rows.columns])

    rejected = [*batch.rejected, *_of_unknown_units(batch, units)] if with_rejected else []
    return replace(
        batch,
        readings=with_codes(batch.readings),
        rejected=rejected,
        units={},
        spans_of_units=None if batch.spans_of_units is None else with_codes(batch.spans_of_units),
    )


def _of_unknown_units(batch: ParsedBatch, units: dict[str, _Unit]) -> list[RejectedReading]:
    if units.keys() >= set(batch.readings["unit_code"].to_list()):
        return []
    unknown = batch.readings.filter(~pl.col("unit_code").is_in(list(units))).select("row_number", "unit_code")
    return [
        RejectedReading(number, Reason.UNKNOWN_UNIT, f"There is no storage unit with the id {quoted(text)}.", "")
        for number, text in unknown.rows()
    ]
