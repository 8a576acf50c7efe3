"""Customers' files come to the same readings, rejected rows and notes by every way in: imports, polls and pushes.

What they must come to is compared in `test_customer_files.py`.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from customers.models import Sensor
from ingestion.models import Delivery, IngestionType, Source
from ingestion.parsing.results import ParsedBatch
from ingestion.polling.claims import claim_now
from ingestion.polling.poll import poll
from ingestion.polling.tests.scripted_server import ScriptedServer, Visit, answer
from ingestion.tests.customer_files import FILES, CustomerFile
from ingestion.tests.test_customer_files import INPUTS, RECEIVED_AT, Row, parsed, rows_of
from readings.models import Reading
from readings.units.scales import from_celsius
from tests.api_clients import client_of
from tests.factories import CustomerFactory, SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

TYPES = {".csv": "text/csv", ".json": "application/json", ".ndjson": "application/x-ndjson", ".txt": "text/plain"}
OLD = timedelta(days=2 * 365)
EMPTY = "c43b_empty.csv"
# Its rows wait for a unit first, which a file's name gives.
WITHOUT_UNITS = "g05_serial_changes.csv"
# Of a history, which sources have to accept.
TOLD_AS_OLD = "All rows are more than two years old, the newest from 2017-01-01. Check the device's clock."


@dataclass(frozen=True)
class Outcome:
    """What became of a file. `failure` is the reason if nothing of it was stored."""

    failure: str
    rows: set[Row]
    rejected: Counter[str]
    notes: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def files() -> Iterator[ScriptedServer]:
    """Serve the file that is requested."""

    def send(visit: Visit) -> None:
        path = INPUTS / visit.head.split(b" ")[1].decode().lstrip("/")
        answer(path.read_bytes(), headers=f"Content-Type: {content_type(path.name)}\r\n")(visit)

    with ScriptedServer(send) as server:
        yield server


def content_type(name: str) -> str:
    return TYPES.get(Path(name).suffix, "application/octet-stream")


def expected(failure: str, batches: list[ParsedBatch]) -> Outcome:
    rejected = Counter(row.reason.value for batch in batches for row in batch.rejected)
    notes = [note for batch in batches for note in batch.notes]
    return Outcome(failure.partition(":")[0], set(rows_of(batches)), rejected, tuple(notes))


def stored(delivery: Delivery) -> Outcome:
    sensors = dict(Sensor.objects.values_list("pk", "sensor_code"))
    readings = Reading.objects.filter(storage_unit__facility__customer=delivery.customer).values_list(
        "storage_unit__unit_code", "sensor_id", "recorded_at", "temperature_c", "scale"
    )
    rows = {
        (unit, sensors[sensor_id], at, None if celsius is None else round(from_celsius(celsius, scale), 6), scale)
        for unit, sensor_id, at, celsius, scale in readings
    }
    kept = Counter(delivery.rejected_rows.values_list("reason", flat=True))
    assert delivery.records_rejected >= kept.total()
    failure = delivery.error_reason if delivery.status == Delivery.Status.FAILURE else ""
    return Outcome(failure, rows, kept, tuple(delivery.notes))


def source_of(case: CustomerFile, wanted: Outcome, kind: IngestionType, url: str = "") -> Source:
    """Return a source with the case's settings; what the name of a file tells, it knows by its default unit."""
    stem = Path(case.name).stem
    rows = wanted.rows
    names_units = any("read as the storage unit" in note for note in wanted.notes)
    is_unit_named = {unit for unit, *_ in rows} <= {stem} and not names_units
    is_old = rows and max(at for _, _, at, *_ in rows) < RECEIVED_AT - OLD
    mapping = case.mapping | ({"accepts_old_readings": True} if is_old else {})
    lists = {name: list(value) for name, value in mapping.items() if isinstance(value, tuple)}
    unit = stem if is_unit_named and not case.fails else ""
    return SourceFactory(ingestion_type=kind, url=url, name="source", default_unit_code=unit, **mapping | lists)


def by_import(case: CustomerFile, _: Outcome, __: str) -> Delivery:
    """Import the file by the command, with the mapping of a source if the case needs one."""
    customer = CustomerFactory()
    arguments = [customer.customer_code, str(INPUTS / case.name)]
    if case.mapping:
        source = source_of(case, Outcome("", set(), Counter()), IngestionType.PUSH)
        Source.objects.filter(pk=source.pk).update(customer=customer)
        arguments += ["--source", source.name]
    try:
        call_command("import_readings", *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    except CommandError:
        assert case.fails
    return Delivery.objects.get(customer=customer)


def by_poll(case: CustomerFile, wanted: Outcome, url: str) -> Delivery:
    """Poll a server that responds with the file."""
    source = source_of(case, wanted, IngestionType.CSV, f"{url}/{case.name}")
    (delivery,) = poll(claim_now(source))
    return delivery


def by_push(case: CustomerFile, wanted: Outcome, _: str) -> Delivery:
    """Push the file to a source over the API."""
    source = source_of(case, wanted, IngestionType.PUSH)
    client = client_of(source.customer, permissions=["write"], source_public_id=source.public_id)
    body = (INPUTS / case.name).read_bytes()
    response = client.post(f"/api/v1/ingest/{source.public_id}", body, content_type=content_type(case.name))
    delivery = Delivery.objects.get(customer=source.customer)
    assert response.status_code == (400 if delivery.status == Delivery.Status.FAILURE else 200)
    return delivery


def must_come_to(case: CustomerFile, wanted: Outcome, way: str) -> Outcome:
    """Return what a way makes of the file: a sender is asked to repeat what is cut off, or empty."""
    if way == "by_push" and "cut_off" in wanted.rejected:
        return Outcome("cut_off", set(), Counter())
    if way == "by_push" and case.name == EMPTY:
        return Outcome("no_readings_list", set(), Counter())
    if way != "by_import" and case.name == WITHOUT_UNITS:
        return Outcome("", set(), Counter(no_unit=62))
    return wanted


@pytest.mark.parametrize("case", FILES, ids=lambda case: " ".join([case.name, *case.mapping]))
def test_a_file_is_stored_as_it_is_understood(case: CustomerFile, files: ScriptedServer) -> None:
    parsed_rows = expected(*parsed(case))

    for take_in in (by_import, by_poll, by_push):
        outcome = stored(take_in(case, parsed_rows, files.url))

        wanted = must_come_to(case, parsed_rows, take_in.__name__)
        assert (outcome.failure, outcome.rejected) == (wanted.failure, wanted.rejected), take_in
        # Of rows that contradict each other one is stored.
        assert outcome.rows <= wanted.rows, take_in
        assert {row[:3] for row in outcome.rows} == {row[:3] for row in wanted.rows}, take_in
        assert set(wanted.notes) <= set(outcome.notes) | {TOLD_AS_OLD}, take_in
