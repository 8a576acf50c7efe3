"""Deliveries that get in each other's way are repeated, and what cannot be stored is logged with its cause."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event

import psycopg2.errors
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from alarms.models import CustomerLimits, LimitVersion
from alarms.models.limit_locks import lock_shared_limits
from ingestion.loading import file_import
from ingestion.loading.load import LoadRequest, Parsing, load
from ingestion.models import Delivery, IngestionType, Source
from ingestion.parsing.results import ParsedBatch
from ingestion.parsing.tests.parsed_batches import batch_of, reading
from ingestion.parsing.tests.parsing import csv_body, csv_row
from readings.models import Reading
from tests.alarm_factories import LimitProfileFactory
from tests.factories import CustomerFactory, SourceFactory
from tests.races import is_waited_for
from tests.running_system import wait_until


@pytest.mark.django_db(transaction=True)
def test_bodies_of_several_batches_in_opposite_order_are_both_stored() -> None:
    source = SourceFactory()
    units = ["unit_1", "unit_2"]
    loaded(source, [batch_of(reading(0, unit=unit)) for unit in units])
    both_hold_a_unit = Barrier(2)

    def send(minute: int, order: list[str]) -> int:
        def batches() -> Iterator[ParsedBatch]:
            for unit in order:
                yield batch_of(reading(minute, unit=unit))
                with suppress(BrokenBarrierError):  # the second batch, or a repetition
                    both_hold_a_unit.wait(timeout=20)
                both_hold_a_unit.abort()

        try:
            return loaded(source, Parsing(batches)).records_stored
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        stored = list(threads.map(send, (1, 2), (units, units[::-1])))

    assert stored == [2, 2]
    assert Reading.objects.count() == 6
    assert Delivery.objects.filter(status="success").count() == 3


@pytest.mark.django_db(transaction=True)
def test_units_are_registered_while_a_profile_that_they_share_is_saved() -> None:
    source = SourceFactory()
    loaded(source, [batch_of(reading(0, unit="stored before"))])
    profile = LimitProfileFactory()
    CustomerLimits.objects.filter(customer=source.customer).update(profile=profile)
    has_locked, may_register = Event(), Event()

    def batches() -> Iterator[ParsedBatch]:
        yield batch_of(reading(1, unit="stored before"))
        has_locked.set()
        may_register.wait(timeout=30)
        yield batch_of(reading(1, unit="new"))

    def send() -> int:
        try:
            return loaded(source, Parsing(batches)).records_stored
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        sent = thread.submit(send)
        assert has_locked.wait(timeout=30)
        with transaction.atomic():
            lock_shared_limits()  # as saving the profile does first
            may_register.set()
            wait_until("the load waits", is_waited_for, seconds=30, look_every=0.01)
            profile.high_warning_c = 9.5
            profile.save()
        assert sent.result(timeout=30) == 2

    in_force = LimitVersion.objects.filter(superseded_at=None, high_warning_c=9.5)
    assert in_force.values("storage_unit").distinct().count() == 2


def loaded(source: Source, batches: Parsing | list[ParsedBatch]) -> Delivery:
    request = LoadRequest(customer=source.customer, source=source, ingestion_type=IngestionType.API)
    return load(request, batches).delivery


class DiskFullError(OperationalError):
    """What Django raises when the server's disk is full."""

    def __init__(self) -> None:
        super().__init__("could not extend file")
        self.__cause__ = type("Cause", (psycopg2.errors.DiskFull,), {"pgcode": "53100"})()


@pytest.mark.django_db
def test_an_import_that_cannot_be_stored_is_logged_with_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DiskFullError

    monkeypatch.setattr(file_import, "load", fail)
    customer = CustomerFactory(customer_code="A")
    file = tmp_path / "logger.csv"
    file.write_text(csv_body(csv_row()))

    with pytest.raises(CommandError, match="1 of 1 files could not be imported"):
        call_command("import_readings", "A", str(file))

    delivery = Delivery.objects.get(customer=customer)
    assert (delivery.status, delivery.source_url) == ("failure", "logger.csv")
    assert delivery.error_message == "The database's disk is full, so that nothing can be stored at the moment."
