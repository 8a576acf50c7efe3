"""Reading many readings over the REST API: by pages while new ones arrive, and as a stream."""

from __future__ import annotations

import resource
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers.models import Sensor
from readings.lists.export import CHUNK_ROWS
from readings.models import Reading
from readings.storage.reading_batch import ReadingBatch, microseconds_of
from readings.storage.store import store
from tests.factories import FacilityFactory, SensorFactory, StorageUnitFactory, make_token

pytestmark = pytest.mark.django_db
END = datetime(2026, 11, 23, tzinfo=UTC)
MINUTE_US = 60_000_000
LIST = "/api/v1/temperature"


@pytest.fixture
def sensors() -> list[Sensor]:
    facility = FacilityFactory()
    units = StorageUnitFactory.create_batch(10, facility=facility, interval_seconds=60)
    return [SensorFactory(storage_unit=unit) for unit in units]


@pytest.fixture
def client(sensors: list[Sensor]) -> APIClient:
    client = APIClient()
    _, text = make_token(sensors[0].storage_unit.facility.customer)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def store_minutes(sensors: list[Sensor], minutes: np.ndarray, offset_us: int = 0) -> int:
    """Store readings of each sensor at these numbers of minutes before END; return the number stored."""
    count = len(minutes)
    times = microseconds_of(END) - minutes.astype(np.int64) * MINUTE_US + offset_us
    return store(
        ReadingBatch(
            storage_unit_id=np.repeat(np.array([each.storage_unit_id for each in sensors], np.int32), count),
            sensor_id=np.repeat(np.array([each.pk for each in sensors], np.int32), count),
            recorded_at_us=np.tile(times, len(sensors)),
            temperature_c=np.full(count * len(sensors), 5.0),
            scale=np.full(count * len(sensors), b"C", "S1"),
            quality_score=np.ones(count * len(sensors)),
            equipment_status_id=np.ones(count * len(sensors), np.int16),
        )
    ).stored


def test_paging_through_200_000_readings_while_10_000_arrive_neither_misses_nor_repeats_any(
    client: APIClient, sensors: list[Sensor]
) -> None:
    assert store_minutes(sensors, np.arange(20_000)) == 200_000
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does, so that no plan is kept from when the tables were empty
    initial = set(Reading.objects.values_list("storage_unit__public_id", "recorded_at"))
    seen: list[tuple[UUID, datetime]] = []
    url, pages, arrived = f"{LIST}?limit=1000", 0, 0
    while url:
        page = client.get(url).json()
        seen += [(UUID(item["storage_unit_id"]), datetime.fromisoformat(item["recorded_at"])) for item in page["items"]]
        url, pages = page["next"], pages + 1
        if pages % 2 == 0 and arrived < 10_000:
            # Half of them newer than all stored readings, half late: on pages before and after the current one.
            arrived += store_minutes(sensors, np.arange(-5 * pages, -5 * pages + 5))
            arrived += store_minutes(sensors, np.arange(5) * 4_000 + pages, offset_us=1)
    assert arrived == 10_000
    assert len(seen) == len(set(seen))
    assert initial <= set(seen)


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_stream_holds_one_chunk_in_memory(client: APIClient, sensors: list[Sensor], form: str) -> None:
    store_minutes(sensors, np.arange(12_000))
    response: object = client.get(f"{LIST}?format={form}")
    assert isinstance(response, StreamingHttpResponse)
    pieces = iter(response)
    rows = next(pieces).count(b"\n") + next(pieces).count(b"\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for piece in pieces:
        lines = piece.count(b"\n")
        assert lines <= CHUNK_ROWS
        rows += lines
    assert rows - (form == "csv") == 120_000
    # The whole text is some 40 MB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


def test_a_late_page_takes_as_many_queries_as_the_first(
    client: APIClient, sensors: list[Sensor], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    store_minutes(sensors, np.arange(2_000))
    client.get(LIST)
    late = client.get(f"{LIST}?limit=100&offset=18000").json()["next"]
    with django_assert_num_queries(4):
        assert len(client.get(f"{LIST}?limit=100").json()["items"]) == 100
    with django_assert_num_queries(4):
        assert len(client.get(late).json()["items"]) == 100


def test_a_period_without_readings_is_skipped(client: APIClient, sensors: list[Sensor]) -> None:
    store_minutes(sensors[:1], np.array([0, 1, 200_000, 200_001, 260_000]))
    page = client.get(f"{LIST}?limit=2").json()
    times = [item["recorded_at"] for item in page["items"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        times += [item["recorded_at"] for item in page["items"]]
    assert [END - datetime.fromisoformat(time) for time in times] == [
        timedelta(minutes=minutes) for minutes in (0, 1, 200_000, 200_001, 260_000)
    ]
