"""Rows of a device that lost its clock wait for review, however they arrive, and never become the latest reading."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from customers.models import StorageUnit
from ingestion.loading import push_body
from ingestion.loading.load import LoadRequest, LoadResult, load
from ingestion.loading.push_body import PushedBody
from ingestion.loading.replay import replay
from ingestion.models import IngestionType, RejectedRow, Source
from ingestion.parsing.parse import parse_body
from ingestion.sources.mapping import FieldMapping
from readings.models import LatestReading, Reading
from tests.factories import SourceFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def body(*times: datetime) -> str:
    return "\n".join(["unit_id,timestamp,temperature", *(f"U1,{at:%Y-%m-%d %H:%M:%S},4.5" for at in times), ""])


def minutes(start: datetime, count: int) -> list[datetime]:
    return [start + timedelta(minutes=number) for number in range(count)]


def loaded(
    text: str,
    kind: IngestionType = IngestionType.CSV,
    batch_rows: int = 50_000,
    since: datetime | None = None,
    mapping: FieldMapping | None = None,
) -> LoadResult:
    source = Source.objects.first() or SourceFactory()
    request = LoadRequest(customer=source.customer, source=source, ingestion_type=kind, received_at=NOW, since=since)
    data = io.BytesIO(text.encode())
    return load(request, parse_body(data, mapping or FieldMapping(), received_at=NOW, batch_rows=batch_rows))


RESET_TO = [
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(2000, 1, 1, 3, tzinfo=UTC),
    datetime(2010, 1, 1, tzinfo=UTC),
    datetime(2015, 6, 17, 8, tzinfo=UTC),
    datetime(2025, 1, 1, tzinfo=UTC),
]


@pytest.mark.parametrize("reset_to", RESET_TO, ids=lambda at: f"{at:%Y-%m-%d}")
@pytest.mark.parametrize("batch_rows", [50_000, 40], ids=["one batch", "many batches"])
@pytest.mark.parametrize("kind", [IngestionType.IMPORT, IngestionType.CSV, IngestionType.PUSH])
def test_few_rows_years_before_the_others_wait_for_review(
    reset_to: datetime, batch_rows: int, kind: IngestionType
) -> None:
    times = minutes(NOW - timedelta(hours=6), 200)
    times[100:100] = minutes(reset_to, 7)

    loaded(body(*times), kind, batch_rows)

    assert Reading.objects.count() == 200
    assert set(RejectedRow.objects.values_list("reason", flat=True)) == {"clock_reset"}
    assert RejectedRow.objects.count() == 7


@pytest.mark.parametrize("batch_rows", [40, 150], ids=["reset rows only first", "mixed first"])
@pytest.mark.parametrize("reset_to", RESET_TO, ids=lambda at: f"{at:%Y-%m-%d}")
@pytest.mark.parametrize("are_last", [False, True], ids=["oldest first", "newest first"])
def test_batches_that_begin_with_such_rows_are_compared_with_the_whole_body(
    reset_to: datetime, batch_rows: int, are_last: bool
) -> None:
    times = [*minutes(reset_to, 100), *minutes(NOW - timedelta(hours=9), 450)]

    loaded(body(*(reversed(times) if are_last else times)), IngestionType.IMPORT, batch_rows)

    assert Reading.objects.count() == 450
    assert RejectedRow.objects.filter(reason="clock_reset").count() == 100


def test_json_and_bulk_pushes_are_compared_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_body, "_BATCH_ROWS", 60)
    times = [*minutes(datetime(2015, 1, 1, tzinfo=UTC), 60), *minutes(NOW - timedelta(days=60), 300)]
    polled = [{"unit_id": "U", "timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}", "temperature": 4.5} for at in times]
    pushed = [{"storage_unit_id": "U", "recorded_at": row["timestamp"], "temperature": 4.5} for row in polled]
    body_of_poll = io.BytesIO(json.dumps({"readings": polled}).encode())
    push = PushedBody(json.dumps(pushed).encode(), "application/json", is_declared_gzip=False, max_bytes=1 << 24)

    for batches in (list(parse_body(body_of_poll, FieldMapping(), received_at=NOW, batch_rows=60)), push.batches(NOW)):
        assert sum(len(batch.readings) for batch in batches) == 300
        assert [each.reason.value for batch in batches for each in batch.rejected] == ["clock_reset"] * 60


def test_rows_of_one_device_among_three_wait_for_review() -> None:
    loaded(body(NOW - timedelta(hours=1), NOW - timedelta(hours=2), datetime(2019, 3, 2, tzinfo=UTC)))
    assert (Reading.objects.count(), RejectedRow.objects.get().reason) == (2, "clock_reset")


@pytest.mark.parametrize("kind", [IngestionType.CSV, IngestionType.API, IngestionType.PUSH])
def test_a_body_of_such_rows_only_waits_for_review_if_the_unit_is_known(kind: IngestionType) -> None:
    loaded(body(NOW - timedelta(hours=1)))

    loaded(body(datetime(2017, 8, 5, tzinfo=UTC)), kind)

    assert Reading.objects.count() == 1
    assert "years away from now and from the other readings of its unit" in RejectedRow.objects.get().message
    latest = LatestReading.objects.get(storage_unit=StorageUnit.objects.get())
    assert latest.recorded_at == NOW - timedelta(hours=1)


ALL_KINDS = [IngestionType.CSV, IngestionType.API, IngestionType.PUSH, IngestionType.IMPORT, IngestionType.MQTT]


@pytest.mark.parametrize("batch_rows", [50_000, 40], ids=["one batch", "many batches"])
@pytest.mark.parametrize("reset_to", RESET_TO, ids=lambda at: f"{at:%Y-%m-%d}")
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_first_rows_of_a_reset_clock_wait_for_review(kind: IngestionType, reset_to: datetime, batch_rows: int) -> None:
    if kind is IngestionType.IMPORT and reset_to.month == 6:
        reset_to = datetime(2013, 6, 17, 8, tzinfo=UTC)

    loaded(body(*minutes(reset_to, 150)), kind, batch_rows)

    assert (Reading.objects.count(), RejectedRow.objects.filter(reason="clock_reset").count()) == (0, 150)
    assert not LatestReading.objects.exists()


@pytest.mark.parametrize("year", [2001, 2010, 2015, 2016, 2018, 2019, 2020, 2024, 2025])
@pytest.mark.parametrize("zone_hours", [-8, 0, 9], ids=lambda hours: f"UTC{hours:+}")
def test_a_first_imported_file_that_begins_with_a_year_waits_for_review(year: int, zone_hours: int) -> None:
    begin = datetime(year, 1, 1, tzinfo=UTC) - timedelta(hours=zone_hours)

    loaded(body(*minutes(begin, 20)), IngestionType.IMPORT)

    assert (Reading.objects.count(), RejectedRow.objects.count()) == (0, 20)
    assert all("have the mapping accept old readings" in row.message for row in RejectedRow.objects.all())


@pytest.mark.parametrize(("days", "stored"), [(60, 0), (250, 0), (364, 364)])
def test_an_imported_file_of_years_ago_that_begins_with_a_year_is_stored_if_it_covers_it(
    days: int, stored: int
) -> None:
    times = [datetime(2018, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(days)]

    loaded(body(*times), IngestionType.IMPORT)

    assert (Reading.objects.count(), RejectedRow.objects.count()) == (stored, days - stored)


def test_an_old_unit_beside_current_ones_of_an_imported_file_waits_for_review() -> None:
    old = body(*minutes(datetime(2018, 6, 4, tzinfo=UTC), 30)).partition("\n")[2].replace("U1", "U2")

    loaded(body(*minutes(NOW - timedelta(hours=1), 30)) + old, IngestionType.IMPORT)

    assert set(Reading.objects.values_list("storage_unit__unit_code", flat=True)) == {"U1"}
    assert RejectedRow.objects.count() == 30


def test_a_note_tells_of_old_rows_beside_current_ones_of_an_imported_file() -> None:
    times = [*minutes(datetime(2018, 6, 4, tzinfo=UTC), 30), *minutes(NOW - timedelta(hours=1), 30)]

    result = loaded(body(*times), IngestionType.IMPORT)

    assert Reading.objects.count() == 60
    assert any("Some rows are more than two years old, the oldest from 2018-06-04." in note for note in result.notes)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_reset_unit_beside_others_of_a_first_body_waits_for_review(kind: IngestionType) -> None:
    times = minutes(datetime(2013, 8, 5, tzinfo=UTC), 30)
    text = body(*minutes(NOW - timedelta(hours=1), 30)) + body(*times).partition("\n")[2].replace("U1", "U2")

    loaded(text, kind)

    assert set(Reading.objects.values_list("storage_unit__unit_code", flat=True)) == {"U1"}
    assert RejectedRow.objects.count() == 30


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_old_readings_are_stored_once_they_are_accepted(kind: IngestionType) -> None:
    times = [*minutes(datetime(2015, 6, 17, tzinfo=UTC), 3), *minutes(datetime(2019, 1, 1, tzinfo=UTC), 5)]

    result = loaded(body(*times), kind, mapping=FieldMapping(accepts_old_readings=True))

    assert (Reading.objects.count(), RejectedRow.objects.count()) == (8, 0)
    assert any("Readings from 2015-06-17 on were accepted" in note for note in result.notes)


def test_rejected_rows_are_replayed_once_their_source_accepts_old_readings() -> None:
    loaded(body(*minutes(datetime(2019, 8, 5, tzinfo=UTC), 3)))
    Source.objects.update(accepts_old_readings=True)

    assert replay(RejectedRow.objects.all(), by="P").replayed == 3
    assert Reading.objects.count() == 3


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_the_file_of_last_year_is_stored_without_a_setting(kind: IngestionType) -> None:
    loaded(body(*(datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(300))), kind)
    assert (Reading.objects.count(), RejectedRow.objects.count()) == (300, 0)


def test_a_file_with_a_history_of_years_ago_is_stored_with_a_note() -> None:
    result = loaded(body(*minutes(datetime(2019, 8, 5, tzinfo=UTC), 3)), IngestionType.IMPORT)
    assert (Reading.objects.count(), RejectedRow.objects.count()) == (3, 0)
    assert any("more than two years old, the newest from 2019-08-05" in note for note in result.notes)


def test_old_rows_near_stored_readings_are_stored() -> None:
    loaded(body(*minutes(datetime(2019, 8, 5, tzinfo=UTC), 3)), mapping=FieldMapping(accepts_old_readings=True))
    loaded(body(*minutes(datetime(2019, 9, 5, tzinfo=UTC), 3)))
    assert Reading.objects.count() == 6


def test_many_rows_years_before_the_requested_period_wait_for_review() -> None:
    loaded(body(NOW - timedelta(hours=1)))

    loaded(body(*minutes(datetime(2017, 1, 1, tzinfo=UTC), 150)), since=NOW - timedelta(hours=2))

    assert (Reading.objects.count(), RejectedRow.objects.count()) == (1, 150)


@pytest.mark.parametrize("batch_rows", [50_000, 40], ids=["one batch", "many batches"])
def test_a_log_of_many_years_is_stored(batch_rows: int) -> None:
    times = [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=20) * number for number in range(140)]
    loaded(body(*times), batch_rows=batch_rows)
    loaded(body(*reversed(times)), batch_rows=batch_rows)
    assert Reading.objects.count() == 140


@pytest.mark.parametrize("written", ["1970-01-01 00:00:00", "2036-02-07 06:28:15", "2080-01-01 00:00:00"])
def test_times_before_2000_and_in_the_future_wait_for_review(written: str) -> None:
    loaded(body(NOW - timedelta(hours=1)) + f"U1,{written},4.5\n")
    assert (Reading.objects.count(), RejectedRow.objects.count()) == (1, 1)
