"""The one function through which every delivery goes: polls, pushes, imports and replays alike.

`load` resolves codes to ids, stores, has excursions judged, keeps what could not be stored and logs the delivery,
all in one transaction.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import numpy as np
import polars as pl
import structlog
from django.db import transaction
from django.utils import timezone

from alarms.evaluation.evaluate import evaluate
from customers.models import Customer
from ingestion.loading import conflicts, rejected_rows
from ingestion.loading.registration import Place, Register, SensorKey, link_units
from ingestion.models import Delivery, IngestionType, Source
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.results import ParsedBatch, RejectedReading
from readings.models import status_ids
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import StoreResult, store

logger = structlog.get_logger(__name__)

KEY = ["facility_code", "unit_code", "sensor_code"]
SCALE_BYTES = {"C": ord("C"), "F": ord("F"), "K": ord("K")}

KeepRejected = Callable[[Delivery, Sequence[RejectedReading], str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """What is known of a delivery before its rows: from whom, how, when, and what was asked for."""

    customer: Customer
    ingestion_type: IngestionType
    source: Source | None = None
    started_at: datetime = field(default_factory=timezone.now)
    since: datetime | None = None
    until: datetime | None = None
    source_url: str = ""
    size_bytes: int = 0
    default_unit_code: str = ""


@dataclass(slots=True)
class LoadResult:
    """What a delivery has brought so far."""

    delivery: Delivery
    reasons: Counter[str] = field(default_factory=Counter)
    newest: datetime | None = None
    is_cut_off: bool = False

    def count(self, result: StoreResult) -> None:
        self.delivery.records_stored += result.stored
        self.delivery.records_duplicate += result.duplicates
        self.delivery.records_conflicting += len(result.contradictions)

    def reject(self, rejected: Sequence[RejectedReading]) -> None:
        self.delivery.records_rejected += len(rejected)
        self.reasons.update(row.reason.value for row in rejected)


@transaction.atomic
def load(
    load_request: LoadRequest,
    batches: Iterable[ParsedBatch],
    *,
    keep_rejected: KeepRejected = rejected_rows.keep,
    notes: Sequence[str] = (),
) -> LoadResult:
    """Take a delivery in; return what became of it, its `delivery` logged.

    `notes` are sentences about what is missing from it; with any the delivery is `partial`. What `batches` raises
    (UnreadableBody) undoes the delivery: log it with `log_failure`.
    """
    load_result = LoadResult(_opened(load_request))
    register = Register(load_request.customer, load_request.source)
    for batch in batches:
        _load_batch(load_result, register, load_request, batch, keep_rejected)
    _close(load_result, notes)
    return load_result


def log_failure(load_request: LoadRequest, reason: str, message: str) -> Delivery:
    """Log a delivery that brought nothing."""
    delivery = _opened(load_request)
    delivery.status = Delivery.Status.FAILURE
    delivery.error_reason = reason
    delivery.error_message = message
    delivery.ended_at = timezone.now()
    delivery.save()
    logger.warning("delivery failed", delivery=str(delivery.public_id), reason=reason, message=message)
    return delivery


def _opened(load_request: LoadRequest) -> Delivery:
    return Delivery.objects.create(
        customer=load_request.customer,
        source=load_request.source,
        ingestion_type=load_request.ingestion_type,
        status=Delivery.Status.SUCCESS,
        started_at=load_request.started_at,
        ended_at=load_request.started_at,
        since=load_request.since,
        until=load_request.until,
        source_url=load_request.source_url,
        size_bytes=load_request.size_bytes,
    )


def _load_batch(
    load_result: LoadResult,
    register: Register,
    load_request: LoadRequest,
    batch: ParsedBatch,
    keep_rejected: KeepRejected,
) -> None:
    readings, rejected = _placed(register, batch)
    rejected += batch.rejected
    columns = _columns(readings)
    began = time.monotonic()
    result = store(columns)
    if load_request.source is not None and result.new_spans:
        link_units(load_request.source.pk, result.new_spans)
    evaluate(result.new_spans, columns)
    load_result.delivery.store_seconds += time.monotonic() - began
    load_result.count(result)
    if result.contradictions:
        conflicts.keep(load_result.delivery, columns, result.contradictions)
    if rejected:
        load_result.reject(rejected)
        keep_rejected(load_result.delivery, rejected, batch.row_context, load_request.default_unit_code)
    if len(readings):
        newest = cast("datetime", readings["recorded_at"].max())
        load_result.newest = newest if load_result.newest is None else max(newest, load_result.newest)
    load_result.is_cut_off |= batch.is_cut_off


def _placed(register: Register, batch: ParsedBatch) -> tuple[pl.DataFrame, list[RejectedReading]]:
    """The batch's readings with the ids they belong to, and those that belong nowhere."""
    keys: list[SensorKey] = batch.readings.select(KEY).unique().rows()
    places = register.places(keys, batch.units)
    statuses = status_ids(batch.readings["equipment_status"].unique())
    known = [
        (*key, place.storage_unit_id, place.sensor_id) for key, place in places.items() if isinstance(place, Place)
    ]
    ids = pl.DataFrame(
        known,
        schema=dict.fromkeys(KEY, pl.String) | {"storage_unit_id": pl.Int32, "sensor_id": pl.Int32},
        orient="row",
    )
    readings = batch.readings.join(ids, on=KEY, how="left", nulls_equal=True, maintain_order="left").with_columns(
        equipment_status_id=pl.col("equipment_status").replace_strict(statuses, default=None, return_dtype=pl.Int16)
    )
    is_storable = pl.col("storage_unit_id").is_not_null() & pl.col("equipment_status_id").is_not_null()
    lost = readings.filter(~is_storable)
    return readings.filter(is_storable), [_rejected(row, places, batch) for row in lost.iter_rows(named=True)]


def _rejected(row: dict[str, Any], places: dict[SensorKey, Place | Reason], batch: ParsedBatch) -> RejectedReading:
    place = places[row["facility_code"], row["unit_code"], row["sensor_code"]]
    reason = Reason.TOO_MANY_STATUSES if isinstance(place, Place) else place
    named = {
        Reason.UNKNOWN_FACILITY: "facility_code",
        Reason.UNKNOWN_SENSOR: "sensor_code",
        Reason.TOO_MANY_STATUSES: "equipment_status",
    }
    message = message_for(reason, value=row[named.get(reason, "unit_code")])
    return RejectedReading(row["row_number"], reason, message, batch.raw_row(row["row_number"]))


def _columns(readings: pl.DataFrame) -> ReadingBatch:
    return ReadingBatch(
        storage_unit_id=readings["storage_unit_id"].to_numpy(),
        sensor_id=readings["sensor_id"].to_numpy(),
        recorded_at_us=readings["recorded_at"].to_physical().to_numpy(),
        temperature_c=readings["temperature_c"].fill_null(float("nan")).to_numpy(),
        scale=readings["scale"].replace_strict(SCALE_BYTES, return_dtype=pl.UInt8).to_numpy().view(np.dtype("S1")),
        quality_score=readings["quality_score"].to_numpy(),
        equipment_status_id=readings["equipment_status_id"].to_numpy(),
    )


def _close(load_result: LoadResult, notes: Sequence[str]) -> None:
    delivery = load_result.delivery
    delivery.records_processed = (
        delivery.records_stored + delivery.records_duplicate + delivery.records_conflicting + delivery.records_rejected
    )
    sentences = [*notes, *_what_is_amiss(load_result)]
    if sentences:
        delivery.status = Delivery.Status.PARTIAL
        delivery.error_message = " ".join(sentences)
    delivery.ended_at = timezone.now()
    delivery.save()
    logger.info(
        "delivery taken in",
        delivery=str(delivery.public_id),
        status=delivery.status,
        stored=delivery.records_stored,
        duplicate=delivery.records_duplicate,
        conflicting=delivery.records_conflicting,
        rejected=delivery.records_rejected,
    )


def _what_is_amiss(load_result: LoadResult) -> list[str]:
    sentences = []
    if load_result.is_cut_off:
        sentences.append("The body was cut off; the rows before the cut are stored.")
    if load_result.reasons:
        counted = ", ".join(f"{count} × {reason}" for reason, count in load_result.reasons.most_common())
        sentences.append(f"Rows rejected: {counted}.")
    if load_result.delivery.records_conflicting:
        sentences.append(f"Rows that contradict stored readings: {load_result.delivery.records_conflicting}.")
    return sentences
