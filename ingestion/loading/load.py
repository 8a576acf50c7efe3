"""Load deliveries: the single path for polls, pushes, imports and replays.

`load` resolves codes to ids, stores readings, evaluates excursions, saves rejected and conflicting rows and logs the
delivery, all in one transaction.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl
import structlog
from django.db import transaction
from django.utils import timezone

from alarms.evaluation.evaluate import Evaluation
from alarms.models.limit_locks import hold_shared_limits
from core.db.conflicts import retry_conflicts
from core.tracing import describe_span, span
from customers.models import Customer, StorageUnit
from ingestion.loading import conflicts, rejected_rows
from ingestion.loading.registration import Register, link_units
from ingestion.loading.reset_clocks import without_reset_clocks
from ingestion.loading.resolving import reading_batch, resolve
from ingestion.loading.understood_rows import RowSample
from ingestion.models import Delivery, IngestionType, Source
from ingestion.parsing.limits import MAX_CONFLICTS, MAX_REJECTED_ROWS, MAX_SENSORS, exceeded
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import ParsedBatch, RejectedReading
from readings.storage.reading_batch import ReadingBatch, instants_of
from readings.storage.store import StoredSpan, StoreResult, lock_units, store

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """The origin of a delivery and the period that was requested.

    Rows dated after `received_at`, by more than clocks differ, take effect when their time has come.
    `facility_time_zone` is that of facilities that are registered, if there is no source to tell.
    """

    customer: Customer
    ingestion_type: IngestionType
    source: Source | None = None
    started_at: datetime = field(default_factory=timezone.now)
    received_at: datetime = field(default_factory=timezone.now)
    since: datetime | None = None
    until: datetime | None = None
    source_url: str = ""
    size_bytes: int = 0
    default_unit_code: str = ""
    facility_time_zone: str = "UTC"


@dataclass(slots=True)
class LoadResult:
    """The outcome of a delivery so far.

    `reasons` counts all rejected rows; `rejected` holds up to `max_rejected_per_reason` of them for each reason, so
    that a large file of bad rows does not fill the memory.
    """

    delivery: Delivery
    reasons: Counter[str] = field(default_factory=Counter)
    rejected: list[RejectedReading] = field(default_factory=list)
    max_rejected_per_reason: float = 0
    newest: datetime | None = None
    newest_of_units: dict[int, datetime] = field(default_factory=dict)
    is_cut_off: bool = False
    notes: dict[str, None] = field(default_factory=dict)
    sample: RowSample = field(default_factory=RowSample)
    spans: list[StoredSpan] = field(default_factory=list)

    def count(self, result: StoreResult) -> None:
        """Add the counts of a stored batch."""
        self.delivery.records_stored += result.stored
        self.delivery.records_duplicate += result.duplicates
        self.delivery.records_conflicting += len(result.contradictions)
        self.spans += result.spans

    def note_newest(self, columns: ReadingBatch) -> None:
        """Add the times of a batch's readings."""
        unit_ids, units_of_rows = np.unique(columns.storage_unit_id, return_inverse=True)
        newest_us = np.full(len(unit_ids), np.iinfo(np.int64).min)
        np.maximum.at(newest_us, units_of_rows, columns.recorded_at_us)
        for unit_id, at in zip(unit_ids.tolist(), instants_of(newest_us), strict=True):
            self.newest_of_units[unit_id] = max(at, self.newest_of_units.get(unit_id, at))
        self.newest = max(self.newest_of_units.values(), default=None)

    def saved_delivery(self) -> Delivery:
        """Return the delivery, saved with the counts so far unless it is, for rows that refer to it."""
        if self.delivery.pk is None:
            self.count_processed()
            self.delivery.save(force_insert=True)
        return self.delivery

    def count_processed(self) -> None:
        """Sum the counts."""
        delivery = self.delivery
        delivery.records_processed = (
            delivery.records_stored
            + delivery.records_duplicate
            + delivery.records_conflicting
            + delivery.records_rejected
        )

    def reject(self, rejected: Sequence[RejectedReading]) -> None:
        """Add rejected rows."""
        self.delivery.records_rejected += len(rejected)
        for row in rejected:
            self.reasons[row.reason.value] += 1
            if self.reasons[row.reason.value] <= self.max_rejected_per_reason:
                self.rejected.append(row)


@dataclass(frozen=True, slots=True)
class ResolvedBatch:
    """The readings of a batch with their ids, also as columns for the store, and all rejected rows of the batch."""

    batch: ParsedBatch
    readings: pl.DataFrame
    columns: ReadingBatch
    rejected: list[RejectedReading]


class Parsing:
    """The batches of a body, parsed again by `parse` each time they are iterated over."""

    def __init__(self, parse: Callable[[], Iterator[ParsedBatch]]) -> None:
        self._parse = parse

    def __iter__(self) -> Iterator[ParsedBatch]:
        return self._parse()


def load(
    load_request: LoadRequest,
    batches: Iterable[ParsedBatch],
    *,
    keeps_rejected: bool = True,
    max_rejected_per_reason: float = 0,
    problems: Sequence[str] = (),
) -> LoadResult:
    """Load a delivery in one transaction and log it.

    `keeps_rejected` saves rejected rows for review. `max_rejected_per_reason` limits the rows in the result's
    `rejected`. `problems` are sentences about missing data; any of them makes the delivery partial. If `batches` raises
    UnreadableBody, nothing is stored: log the delivery with `log_failure`.

    Bodies of several batches lock units batch by batch, so two of them may end in a deadlock, and a unit that is
    registered after some are locked may have to wait for a change of limits. The load is repeated then, with shared
    limits and all units of the customer locked first, unless `batches` can be iterated over only once.
    """

    def attempt(number: int) -> LoadResult:
        if number:
            hold_shared_limits()
            lock_units(sorted(_unit_ids(load_request.customer)))
        return _load(
            load_request,
            batches,
            keeps_rejected=keeps_rejected,
            max_rejected_per_reason=max_rejected_per_reason,
            problems=problems,
            may_wait=is_final or number > 0,
        )

    is_final = iter(batches) is batches
    with span("load", customer=load_request.customer.customer_code, kind=load_request.ingestion_type):
        if is_final:
            with transaction.atomic():
                return attempt(0)
        return retry_conflicts(attempt)


def _load(
    load_request: LoadRequest,
    batches: Iterable[ParsedBatch],
    *,
    keeps_rejected: bool,
    max_rejected_per_reason: float,
    problems: Sequence[str],
    may_wait: bool,
) -> LoadResult:
    load_result = LoadResult(new_delivery(load_request), max_rejected_per_reason=max_rejected_per_reason)
    describe_span(delivery=str(load_result.delivery.public_id))
    register = register_of(load_request, may_wait=may_wait)
    is_limited, evaluation = _is_limited(load_request), Evaluation()
    with _ended(batches) as each_batch:
        for batch in each_batch:
            _load_batch(load_result, register, load_request, batch, evaluation, keeps_rejected=keeps_rejected)
            if is_limited and keeps_rejected:
                _refuse_too_many_rejected(load_result)
            if is_limited and load_result.delivery.records_conflicting > MAX_CONFLICTS:
                raise exceeded(f"more than {MAX_CONFLICTS:,} of its rows contradict stored readings")
    with _timed(load_result), span("evaluate"):
        evaluation.run()
    complete(load_result, register, problems)
    load_result.delivery.save()
    log_loaded(load_result.delivery)
    return load_result


def register_of(load_request: LoadRequest, *, may_wait: bool = True) -> Register:
    """Return the register of a delivery's units and sensors; see there for `may_wait`."""
    return Register(
        load_request.customer,
        load_request.source,
        max_sensors=MAX_SENSORS if _is_limited(load_request) else None,
        time_zone=load_request.facility_time_zone,
        may_wait=may_wait,
    )


def _is_limited(load_request: LoadRequest) -> bool:
    """Return whether the number of its rows is limited: files come from the operator, and may be far larger."""
    return load_request.ingestion_type != IngestionType.IMPORT


@contextmanager
def _ended(batches: Iterable[ParsedBatch]) -> Iterator[Iterator[ParsedBatch]]:
    """Provide the batches and end their parsing, so that a repeated attempt finds their body unused."""
    each_batch = iter(batches)
    try:
        yield each_batch
    finally:
        if isinstance(each_batch, Generator):
            each_batch.close()


@contextmanager
def _timed(load_result: LoadResult) -> Iterator[None]:
    """Add the time taken to that of storing."""
    began = time.monotonic()
    yield
    load_result.delivery.store_seconds += time.monotonic() - began


def _unit_ids(customer: Customer) -> Iterable[int]:
    return StorageUnit.objects.filter(facility__customer=customer).values_list("pk", flat=True)


def _refuse_too_many_rejected(load_result: LoadResult) -> None:
    if load_result.delivery.records_rejected > MAX_REJECTED_ROWS:
        [(reason, _)] = load_result.reasons.most_common(1)
        label = Reason(reason).label
        raise exceeded(f"more than {MAX_REJECTED_ROWS:,} of its rows are rejected, most of them as “{label}”")


def log_failure(load_request: LoadRequest, reason: str, message: str, response_excerpt: str = "") -> Delivery:
    """Log a delivery that failed as a whole; `response_excerpt` holds no secrets."""
    delivery = new_delivery(load_request)
    delivery.status = Delivery.Status.FAILURE
    delivery.error_reason = reason
    delivery.error_message = message
    delivery.response_excerpt = response_excerpt
    delivery.ended_at = timezone.now()
    delivery.save()
    logger.warning("delivery failed", delivery=str(delivery.public_id), reason=reason, message=message)
    return delivery


def new_delivery(load_request: LoadRequest) -> Delivery:
    """Return a delivery without rows, not saved yet."""
    return Delivery(
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
    evaluation: Evaluation,
    *,
    keeps_rejected: bool,
) -> None:
    resolved = resolve_batch(register, load_request, batch)
    with _timed(load_result), span("store", readings=len(resolved.columns)):
        result = store(resolved.columns, load_request.received_at)
        delivered = result.new_spans.keys() | result.units_ahead
        if load_request.source is not None and delivered:
            link_units([(load_request.source.pk, unit_id) for unit_id in delivered])
        evaluation.add(result.new_spans, resolved.columns)
    note_stored(load_result, load_request, resolved, result, keeps_rejected=keeps_rejected)


def resolve_batch(
    register: Register, load_request: LoadRequest, batch: ParsedBatch, statuses: Mapping[str, int] | None = None
) -> ResolvedBatch:
    """Return the batch with the ids of its readings, registering new units and sensors. `statuses`: see `resolve`."""
    readings, rejected = resolve(register, batch, statuses)
    rejected += batch.rejected
    readings, reset = without_reset_clocks(
        readings,
        batch,
        load_request.received_at,
        load_request.since,
        is_file=load_request.ingestion_type == IngestionType.IMPORT,
    )
    rejected += reset
    return ResolvedBatch(batch, readings, reading_batch(readings), rejected)


def note_stored(
    load_result: LoadResult,
    load_request: LoadRequest,
    resolved: ResolvedBatch,
    result: StoreResult,
    *,
    keeps_rejected: bool = True,
) -> None:
    """Add a stored batch to the result; save its contradictions and rejected rows for review."""
    batch = resolved.batch
    load_result.count(result)
    if result.contradictions:
        conflicts.save(load_result.saved_delivery(), resolved.columns, result.contradictions)
    if resolved.rejected:
        load_result.reject(resolved.rejected)
        if keeps_rejected:
            delivery = load_result.saved_delivery()
            rejected_rows.save(
                delivery,
                resolved.rejected,
                batch.row_context,
                load_request.default_unit_code,
                load_request.received_at,
            )
    load_result.note_newest(resolved.columns)
    load_result.is_cut_off |= batch.is_cut_off
    load_result.notes |= dict.fromkeys(batch.notes)
    load_result.sample.add(batch)


def complete(load_result: LoadResult, register: Register, problems: Sequence[str]) -> None:
    """Set what the delivery says of its rows; the caller saves it."""
    delivery = load_result.delivery
    load_result.count_processed()
    delivery.notes = list(load_result.notes)
    if delivery.records_stored:
        delivery.understood = [row.to_json() for row in load_result.sample.rows(register.time_zones)]
    sentences = [*problems, *_problems(load_result)]
    if sentences:
        delivery.status = Delivery.Status.PARTIAL
        delivery.error_message = " ".join(sentences)
    delivery.ended_at = timezone.now()


def log_loaded(delivery: Delivery) -> None:
    """Log what became of a delivery's rows."""
    logger.info(
        "delivery loaded",
        delivery=str(delivery.public_id),
        status=delivery.status,
        stored=delivery.records_stored,
        duplicate=delivery.records_duplicate,
        conflicting=delivery.records_conflicting,
        rejected=delivery.records_rejected,
    )


def _problems(load_result: LoadResult) -> list[str]:
    sentences = []
    if load_result.is_cut_off:
        sentences.append("The body was cut off. The rows before the cut are stored.")
    if load_result.reasons:
        counted = ", ".join(f"{count} × {Reason(reason).label}" for reason, count in load_result.reasons.most_common())
        sentences.append(f"Rejected rows: {counted}.")
    if load_result.delivery.records_conflicting:
        sentences.append(f"Rows contradicting stored readings: {load_result.delivery.records_conflicting}.")
    return sentences
