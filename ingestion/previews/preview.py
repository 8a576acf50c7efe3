"""Preview a body: parse it like a delivery, compare its rows with what is stored, and show how it was understood.

Codes are resolved like those of a delivery, which may register units, in a transaction that is rolled back. Readings
are only compared, so no lock that storing needs is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import IO, cast

import numpy as np
import polars as pl
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from customers.models import Customer, StorageUnit
from ingestion.loading.registration import Register, other_customer_test
from ingestion.loading.reset_clocks import without_reset_clocks
from ingestion.loading.resolving import reading_batch, resolve
from ingestion.loading.understood_rows import RowSample, raw_text
from ingestion.models import Source
from ingestion.parsing.head import BodyHead, head_of
from ingestion.parsing.parse import parse_body
from ingestion.parsing.results import ParsedBatch, RawRow, RejectedReading, UnreadableBody
from ingestion.previews.results import KINDS, Outcome, Preview
from ingestion.sources.mapping import FieldMapping
from readings.storage.archive.reading import with_archived
from readings.storage.known_readings import is_other_measurement, look_up
from readings.storage.reading_batch import ReadingBatch, instants_of

# Rows beyond are parsed, for the notes and the last row, but neither resolved nor counted.
PREVIEWED_ROWS = 200_000
MAX_UNITS = 100
MAX_REJECTED = 20
_KEY: dict[str, pl.DataType] = {"unit": pl.Int32(), "sensor": pl.Int32(), "at": pl.Int64()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRequest:
    """A body's origin and how to read it. `max_rows` None counts all rows; `is_start` reads no further than those.

    `is_poll`: rows that are years older than what is stored come from reset clocks, which files may hold as history.
    """

    customer: Customer
    mapping: FieldMapping
    source: Source | None = None
    content_type: str = ""
    file_name: str = ""
    default_unit_code: str = ""
    facility_time_zone: str = "UTC"
    is_cut_off: bool = False
    is_poll: bool = False
    received_at: datetime = field(default_factory=timezone.now)
    max_bytes: int = field(default_factory=lambda: int(settings.SOURCE_MAX_BYTES))
    max_rows: int | None = PREVIEWED_ROWS
    is_start: bool = False


def preview(body: IO[bytes], request: PreviewRequest) -> Preview:
    """Return how the body is understood and what would become of its rows. Nothing is stored."""
    start = body.tell()
    head = head_of(
        body,
        request.mapping,
        content_type=request.content_type,
        file_name=request.file_name,
        max_bytes=request.max_bytes,
        has_default_unit=bool(request.default_unit_code),
    )
    body.seek(start)
    with transaction.atomic():
        try:
            result = _of_batches(_batches(body, request), request, head)
        except UnreadableBody as error:
            message = error.message if request.source else error.file_message
            result = Preview(head=head, error_reason=error.reason.value, error_message=message)
        transaction.set_rollback(True)
    return result


def _batches(body: IO[bytes], request: PreviewRequest) -> Iterator[ParsedBatch]:
    return parse_body(
        body,
        request.mapping,
        content_type=request.content_type,
        file_name=request.file_name,
        received_at=request.received_at,
        is_cut_off=request.is_cut_off,
        default_unit=request.default_unit_code,
        max_bytes=request.max_bytes,
        is_other_customer=other_customer_test(request.customer),
    )


def _of_batches(batches: Iterable[ParsedBatch], request: PreviewRequest, head: BodyHead) -> Preview:
    counts, sample = _Counts(request), RowSample(with_texts=True)
    notes: list[str] = []
    for batch in batches:
        sample.add(batch)
        counts.add(batch)
        notes += batch.notes
        if request.is_start and counts.is_full:
            break
    result = Preview(head=head, notes=list(dict.fromkeys(notes)), is_partial=counts.is_full)
    result.rows = sample.rows(counts.register.time_zones)
    result.outcomes = counts.outcomes()
    result.unit_codes = sorted(counts.unit_codes)[:MAX_UNITS]
    result.new_unit_codes = sorted(counts.unit_codes - counts.known_unit_codes)[:MAX_UNITS]
    result.newest_reading_at = counts.newest
    result.reading_count, result.rejected = counts.reading_count, counts.rejected
    return result


class _Counts:
    """Counts what would become of the rows, with one example of each outcome."""

    def __init__(self, request: PreviewRequest) -> None:
        self.register = Register(request.customer, request.source, time_zone=request.facility_time_zone)
        self._request = request
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        # The first temperature of each key, by which further rows of it are duplicates or conflicts; NaN for none.
        self._seen = pl.DataFrame(schema={**_KEY, "first_c": pl.Float64})
        self.reading_count = 0
        self.rejected: list[RejectedReading] = []
        self.unit_codes: set[str] = set()
        self.known_unit_codes = set(
            StorageUnit.objects.filter(facility__customer=request.customer).values_list("unit_code", flat=True)
        )
        self.newest: datetime | None = None

    @property
    def is_full(self) -> bool:
        """Whether no further rows are counted."""
        return self._request.max_rows is not None and self.reading_count >= self._request.max_rows

    def add(self, batch: ParsedBatch) -> None:
        """Count the rows of a batch."""
        if self.is_full:
            return
        readings, rejected = resolve(self.register, batch)
        readings, reset = without_reset_clocks(
            readings, batch, self._request.received_at, is_file=not self._request.is_poll
        )
        rejected += reset
        self.reading_count += len(batch.readings)
        self.unit_codes |= set(batch.readings["unit_code"].unique().to_list())
        if len(readings):
            newest = cast("datetime", readings["recorded_at"].max())
            self.newest = newest if self.newest is None else max(newest, self.newest)
            self._compare(readings, batch)
        rejected += batch.rejected
        self.rejected += rejected[: MAX_REJECTED - len(self.rejected)]
        for each in rejected:
            self._count_rejected(each)

    def outcomes(self) -> list[Outcome]:
        """Return the outcomes, those of rejected rows by their number."""
        return sorted(self._outcomes.values(), key=lambda each: (KINDS.index(each.kind), -each.count))

    def _compare(self, readings: pl.DataFrame, batch: ParsedBatch) -> None:
        columns = reading_batch(readings)
        first, last = instants_of(np.sort(columns.recorded_at_us)[[0, -1]])
        unit_ids = np.unique(columns.storage_unit_id).tolist()
        known = with_archived(unit_ids, [(first, last)], partial(look_up, columns))
        is_repeated, first_c = self._repetitions(columns)
        is_new = ~known.is_stored & ~is_repeated
        is_contradicting = known.contradicted_by(columns.temperature_c)
        is_contradicting |= is_repeated & ~known.is_stored & is_other_measurement(columns.temperature_c, first_c)
        numbers = readings["row_number"].to_numpy()
        for kind, mask in (
            ("stored", is_new),
            ("duplicate", ~is_new & ~is_contradicting),
            ("conflicting", is_contradicting),
        ):
            if count := int(mask.sum()):
                self._count(kind, "", kind.capitalize(), count, int(numbers[int(np.argmax(mask))]), batch.raw_row)

    def _repetitions(self, columns: ReadingBatch) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return which rows repeat the unit, sensor and time of an earlier one, and the temperature of the first."""
        keys = pl.DataFrame(
            dict(zip(_KEY, (columns.storage_unit_id, columns.sensor_id, columns.recorded_at_us), strict=True)), _KEY
        )
        sent = keys.with_columns(first_c=pl.Series(columns.temperature_c))
        is_first = keys.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
        if len(self._seen):
            is_first &= (
                keys.join(self._seen, on=list(_KEY), how="left", maintain_order="left")["first_c"].is_null().to_numpy()
            )
        self._seen = pl.concat([self._seen, sent.filter(pl.Series(is_first))])
        first = keys.join(self._seen, on=list(_KEY), how="left", maintain_order="left")
        return ~is_first, first["first_c"].to_numpy()

    def _count_rejected(self, rejected: RejectedReading) -> None:
        label, message = rejected.reason.label, rejected.message
        self._count("rejected", rejected.reason.value, label, 1, rejected.row_number, lambda _: rejected.raw, message)

    def _count(
        self, kind: str, reason: str, label: str, count: int, row_number: int, raw_row: RawRow, message: str = ""
    ) -> None:
        known = self._outcomes.get((kind, reason))
        self._outcomes[kind, reason] = (
            replace(known, count=known.count + count)
            if known
            else Outcome(
                kind=kind,
                label=label,
                count=count,
                row_number=row_number,
                example=raw_text(raw_row(row_number)),
                message=message,
                reason=reason,
            )
        )
