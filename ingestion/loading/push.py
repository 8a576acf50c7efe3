"""Readings that a customer's system sends by itself: placed by their units' public ids and taken in as a delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import polars as pl
from django.db import transaction

from core.scope import Scope
from customers.models import Customer, StorageUnit
from ingestion.loading.load import LoadRequest, LoadResult, load
from ingestion.models import Delivery, IngestionType
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import ParsedBatch, RejectedReading

# Of more errors only the number is told; whoever made the mistake made the same one in all of them.
MOST_ERRORS = 1_000


@dataclass(slots=True)
class Pushed:
    """What became of a push; each row received is stored, a duplicate, a conflict or rejected."""

    received: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    errors: list[RejectedReading] = field(default_factory=list)

    def count(self, load_result: LoadResult) -> None:
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


@transaction.atomic
def push(
    scope: Scope,
    batches: Sequence[ParsedBatch],
    *,
    own_customer_id: int | None,
    received_at: datetime,
    size_bytes: int = 0,
) -> Pushed:
    """Take in rows whose `unit_code` is a public id, all or nothing; return what became of them.

    Units outside of `scope` are unknown. Rows that are rejected are told, not kept: unlike a polled system, who pushed
    them is there to hear it. There is a delivery for each customer that a unit belongs to; rejected rows count for the
    first of them, or `own_customer_id`.
    """
    units = _units(scope, batches)
    customer_ids: list[int | None] = [*sorted({unit.customer_id for unit in units.values()})] or [own_customer_id]
    customers = Customer.objects.in_bulk([each for each in customer_ids if each is not None])
    pushed = Pushed()

    def remember(delivery: Delivery, rejected: Sequence[RejectedReading], header: str, default_unit: str) -> None:
        pushed.errors += rejected[: MOST_ERRORS - len(pushed.errors)]

    for place, customer_id in enumerate(customer_ids):
        placed = [_placed(batch, units, customer_id, with_rejected=place == 0) for batch in batches]
        if customer_id is None:  # pushed by the operator's staff, and of no unit at all
            pushed.rejected = pushed.received = sum(len(batch.rejected) for batch in placed)
            pushed.errors = [row for batch in placed for row in batch.rejected][:MOST_ERRORS]
            continue
        load_request = LoadRequest(
            customer=customers[customer_id],
            ingestion_type=IngestionType.PUSH,
            started_at=received_at,
            size_bytes=size_bytes,
        )
        pushed.count(load(load_request, placed, keep_rejected=remember))
    pushed.errors.sort(key=lambda row: row.row_number)
    return pushed


def _units(scope: Scope, batches: Sequence[ParsedBatch]) -> dict[str, _Unit]:
    """The units that are named and known, by the text that names them. One query."""
    texts = {text for batch in batches for text in batch.readings["unit_code"].unique().to_list()}
    by_id: dict[UUID, list[str]] = {}
    for text in texts:
        public_id = _public_id(text)
        if public_id is not None:
            by_id.setdefault(public_id, []).append(text)
    rows = StorageUnit.objects.visible_to(scope).filter(public_id__in=by_id)
    columns = ("public_id", "facility__facility_code", "unit_code", "facility__customer_id")
    return {text: _Unit(*rest) for public_id, *rest in rows.values_list(*columns) for text in by_id[public_id]}


def _public_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _placed(
    batch: ParsedBatch, units: dict[str, _Unit], customer_id: int | None, *, with_rejected: bool
) -> ParsedBatch:
    """The customer's part of a batch, its units named by their codes. Nothing is said about the units themselves."""
    codes = pl.DataFrame(
        [(text, unit.facility_code, unit.unit_code) for text, unit in units.items() if unit.customer_id == customer_id],
        schema={"unit_code": pl.String, "facility": pl.String, "unit": pl.String},
        orient="row",
    )
    readings = (
        batch.readings.join(codes, on="unit_code", how="inner", maintain_order="left")
        .with_columns(facility_code=pl.col("facility"), unit_code=pl.col("unit"))
        .select(batch.readings.columns)
    )
    rejected = [*batch.rejected, *_of_unknown_units(batch, units)] if with_rejected else []
    return ParsedBatch(readings=readings, rejected=rejected, raw_row=batch.raw_row, row_context=batch.row_context)


def _of_unknown_units(batch: ParsedBatch, units: dict[str, _Unit]) -> list[RejectedReading]:
    unknown = batch.readings.filter(~pl.col("unit_code").is_in(list(units))).select("row_number", "unit_code")
    return [
        RejectedReading(number, Reason.UNKNOWN_UNIT, f"There is no storage unit with the id {quoted(text)}.", "")
        for number, text in unknown.rows()
    ]
