"""Load several small deliveries together: one statement for what each would need one of its own.

Every delivery keeps its own record, counts, notes, rejected and contradicting rows, as `ingestion.loading.load` gives
it one by one; only the statements are shared. An error is one of all: the caller then loads them one by one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from django.utils import timezone

from alarms.evaluation.evaluate import evaluate
from core.tracing import span
from ingestion.loading.known_units import sensors_of, units_at
from ingestion.loading.load import (
    LoadRequest,
    LoadResult,
    ResolvedBatch,
    complete,
    new_delivery,
    note_stored,
    register_of,
    resolve_batch,
)
from ingestion.loading.registration import Register, link_units
from ingestion.models import Delivery
from ingestion.parsing.results import ParsedBatch
from readings.equipment_statuses import status_ids
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import StoreResult, store


@dataclass(frozen=True, slots=True)
class SmallDelivery:
    """A delivery whose body was parsed as one batch; `problems` as in `load`.

    `content_hash` is saved with it if all its rows were stored.
    """

    load_request: LoadRequest
    batch: ParsedBatch
    problems: Sequence[str] = ()
    content_hash: str = ""


@dataclass(frozen=True, slots=True)
class _Loading:
    """A delivery being loaded: `first` and `end` are the positions of its rows among those of all."""

    delivery: SmallDelivery
    register: Register
    resolved: ResolvedBatch
    result: LoadResult
    first: int
    end: int


def load_together(deliveries: Sequence[SmallDelivery]) -> list[LoadResult | None]:
    """Load deliveries in the caller's transaction; return the result of each, None for those to be loaded alone.

    Those have a unit in common with one before them, whose rows would count as theirs. Raise what any of them raises,
    then nothing is stored.
    """
    registers = _registers(deliveries)
    _look_up(deliveries, registers)
    _register_together(deliveries, registers)
    statuses = status_ids({name for each in deliveries for name in each.batch.groups().statuses})
    loading: dict[int, _Loading] = {}
    unit_ids: set[int] = set()
    for number, (delivery, register) in enumerate(zip(deliveries, registers, strict=True)):
        resolved = resolve_batch(register, delivery.load_request, delivery.batch, statuses)
        own = set(resolved.columns.storage_unit_id.tolist())
        are_own = unit_ids.isdisjoint(own)
        unit_ids |= own  # also of those to be loaded later, so that none is loaded before them
        if are_own:
            first = max((each.end for each in loading.values()), default=0)
            result = LoadResult(new_delivery(delivery.load_request))
            loading[number] = _Loading(delivery, register, resolved, result, first, first + len(resolved.columns))
    _store(list(loading.values()))
    for each in loading.values():
        complete(each.result, each.register, each.delivery.problems)
        if each.result.delivery.status == Delivery.Status.SUCCESS:
            each.result.delivery.content_hash = each.delivery.content_hash
    _save([each.result.delivery for each in loading.values()])
    return [loading[number].result if number in loading else None for number in range(len(deliveries))]


def _registers(deliveries: Sequence[SmallDelivery]) -> list[Register]:
    """Return the register of each delivery; those of a source share one."""
    of_sources: dict[int, Register] = {}
    registers = []
    for delivery in deliveries:
        # One that has to wait for a lock is an error here, as the others have locked rows meanwhile.
        register = register_of(delivery.load_request, may_wait=False)
        source = delivery.load_request.source
        registers.append(register if source is None else of_sources.setdefault(source.pk, register))
    return registers


def _look_up(deliveries: Sequence[SmallDelivery], registers: Sequence[Register]) -> None:
    """Tell the registers the units and sensors of all deliveries that are known already. Two queries."""
    keys = [each.batch.groups().sensor_keys for each in deliveries]
    places = [
        (place, sensor_code)
        for register, of_delivery in zip(registers, keys, strict=True)
        for facility_code, unit_code, sensor_code in of_delivery
        if (place := register.place_of((facility_code, unit_code)))
    ]
    units = units_at({place for place, _ in places})
    sensors = sensors_of({(units[place].pk, sensor_code) for place, sensor_code in places if place in units})
    for register, of_delivery in zip(registers, keys, strict=True):
        register.know({key[:2] for key in of_delivery}, units, sensors)


def _register_together(deliveries: Sequence[SmallDelivery], registers: Sequence[Register]) -> None:
    """Register what several deliveries of a source bring for the first time, with one statement for all of them."""
    of_registers: dict[int, list[SmallDelivery]] = {}
    for register, delivery in zip(registers, deliveries, strict=True):
        of_registers.setdefault(id(register), []).append(delivery)
    for register in registers:
        own = of_registers.pop(id(register), [])
        if len(own) > 1:
            keys = {key for delivery in own for key in delivery.batch.groups().sensor_keys}
            described = {key: unit for delivery in reversed(own) for key, unit in delivery.batch.units.items()}
            register.resolve(keys, described)


def _store(loading: Sequence[_Loading]) -> None:
    """Store and evaluate the readings of all, and note of each what became of its own."""
    began = time.monotonic()
    columns = _together([each.resolved.columns for each in loading])
    with span("store", readings=len(columns)):
        stored = store(columns, timezone.now())
    parts = [_part(stored, each) for each in loading]
    links = [
        (source.pk, unit_id)
        for each, part in zip(loading, parts, strict=True)
        if (source := each.delivery.load_request.source) is not None
        for unit_id in part.new_spans.keys() | part.units_ahead
    ]
    if links:
        link_units(links)
    with span("evaluate", units=len(stored.new_spans)):
        evaluate(stored.new_spans, columns)
    seconds = (time.monotonic() - began) / max(len(columns), 1)
    for each, part in zip(loading, parts, strict=True):
        each.result.delivery.store_seconds = seconds * len(each.resolved.columns)
        note_stored(each.result, each.delivery.load_request, each.resolved, part)


def _together(batches: Sequence[ReadingBatch]) -> ReadingBatch:
    return ReadingBatch(
        *(np.concatenate([getattr(batch, column.name) for batch in batches]) for column in fields(ReadingBatch))
    )


def _part(stored: StoreResult, each: _Loading) -> StoreResult:
    """Return what became of the rows of one delivery, to which all rows of its units belong."""
    unit_ids = set(each.resolved.columns.storage_unit_id.tolist())
    count = sum(stored.stored_of_units[unit_id] for unit_id in unit_ids)
    contradictions = [index - each.first for index in stored.contradictions if each.first <= index < each.end]
    return StoreResult(
        stored=count,
        duplicates=each.end - each.first - count - len(contradictions),
        contradictions=contradictions,
        new_spans={unit_id: stored.new_spans[unit_id] for unit_id in unit_ids & stored.new_spans.keys()},
        units_ahead=stored.units_ahead & unit_ids,
        spans=[span for span in stored.spans if span.unit_id in unit_ids],
    )


def _save(deliveries: Sequence[Delivery]) -> None:
    """Save the deliveries. Those that rejected or contradicting rows refer to have been inserted before."""
    new = [delivery for delivery in deliveries if delivery.pk is None]
    inserted = [delivery for delivery in deliveries if delivery.pk is not None]
    Delivery.objects.bulk_create(new)
    for delivery in inserted:
        delivery.save()
