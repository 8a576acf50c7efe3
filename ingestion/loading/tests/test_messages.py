"""Messages of brokers are loaded together with the same outcome as one by one, and with few statements."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.db.conflicts import ConflictError
from ingestion.loading.messages import load_message, load_messages
from ingestion.loading.replay import replay
from ingestion.loading.source_push import SentBody
from ingestion.models import Conflict, Delivery, IngestionType, RejectedRow, Source
from readings.models import LatestReading, Reading
from tests.factories import PushSourceFactory

pytestmark = pytest.mark.django_db

Sent = Sequence[tuple[Source, SentBody]]

RECEIVED_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def row(minute: int, temperature: object, **fields: object) -> dict[str, object]:
    return {"time": f"2026-11-23T10:{minute:02}:00Z", "temperature": temperature, "scale": "C"} | fields


PAYLOADS: tuple[object, ...] = (
    row(0, 4.5),
    row(0, 4.75),
    row(1, 4.5),
    row(2, "hot"),
    row(3, 40.5),
    row(4, 4.5, sensor_id="second"),
    [row(0, 4.5), row(5, 4.75)],
    [row(6, 4.5, unit_id="F9"), row(6, 4.5)],
    [row(7, 4.5), row(7, 5.5)],
    {"temperature": 4.5, "scale": "C"},
    {"temperature": 5.5, "scale": "C", "unit_id": "F9"},
    {"reading": 4.5},
    [],
    {"deviceInfo": {"devEui": "01"}, "object": {"temperature": 4.5}},
)
bodies = st.builds(
    lambda payload, unit, is_repeated, is_old, key: SentBody(
        data=json.dumps(payload).encode(),
        received_at=RECEIVED_AT + timedelta(seconds=key),
        ingestion_type=IngestionType.MQTT,
        default_unit=unit,
        message_key=b"%d" % key,
        is_repeated=is_repeated,
        is_old=is_old,
    ),
    payload=st.sampled_from(PAYLOADS),
    unit=st.sampled_from(["F1", "F2", "F3"]),
    is_repeated=st.booleans(),
    is_old=st.booleans(),
    key=st.integers(min_value=0, max_value=9),
)
COUNTS = ("records_stored", "records_duplicate", "records_conflicting", "records_rejected")
DELIVERY = ("status", "error_message", "notes", "understood", "content_hash", "size_bytes", "source_url", *COUNTS)
READING = ("storage_unit__unit_code", "sensor__sensor_code", "recorded_at", "temperature_c")
REJECTED = ("reason", "raw", "default_unit_code")


def stored_of(source: Source) -> list[object]:
    """Return everything that the messages of a source have left in the database."""
    units = {"storage_unit__facility__customer": source.customer}
    sent = {"delivery__source": source}
    found = (
        Delivery.objects.filter(source=source).values_list(*DELIVERY),
        Reading.objects.filter(**units).values_list(*READING),
        LatestReading.objects.filter(**units).values_list("recorded_at", "temperature_c"),
        RejectedRow.objects.filter(**sent).values_list(*REJECTED),
        Conflict.objects.filter(**sent).values_list("temperature_c", "stored_temperature_c"),
        Source.objects.filter(pk=source.pk).values_list("last_error", "failures_in_a_row"),
    )
    return [sorted(map(repr, rows)) for rows in found]


def some_sources() -> list[Source]:
    """Return two sources of a customer, which may name the same units, and one of a network server."""
    first = PushSourceFactory.create(ingestion_type=IngestionType.MQTT)
    second = PushSourceFactory.create(ingestion_type=IngestionType.MQTT, customer=first.customer)
    server = PushSourceFactory.create(ingestion_type=IngestionType.MQTT, message_format="chirpstack")
    return [first, second, server]


def outcome_of(messages: Sequence[tuple[int, SentBody]], load: Callable[[Sent], None]) -> object:
    sources = some_sources()
    load([(sources[number], body) for number, body in messages])
    return [stored_of(source) for source in sources]


def one_by_one(sent: Sent) -> None:
    for source, body in sent:
        load_message(source, body)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(st.tuples(st.integers(0, 2), bodies), max_size=10))
def test_the_outcome_is_that_of_one_by_one(messages: list[tuple[int, SentBody]]) -> None:
    with transaction.atomic():
        assert outcome_of(messages, load_messages) == outcome_of(messages, one_by_one)
        transaction.set_rollback(True)


def message_of(unit: str, payload: object) -> SentBody:
    return SentBody(
        data=json.dumps(payload).encode(),
        received_at=RECEIVED_AT,
        ingestion_type=IngestionType.MQTT,
        default_unit=unit,
        message_key=unit.encode(),
    )


@pytest.mark.parametrize("payload", [row(0, 4.5), {"temperature": 4.5, "scale": "C"}], ids=["timed", "without a time"])
def test_many_new_units_take_hardly_more_statements_than_one(payload: dict[str, object]) -> None:
    source = PushSourceFactory.create(ingestion_type=IngestionType.MQTT)
    counts = []
    for prefix, units in (("first", 1), ("more", 20)):
        with CaptureQueriesContext(connection) as statements:
            load_messages([(source, message_of(f"{prefix}_{number}", payload)) for number in range(units)])
        # Noting by what a message without a time is recognised takes one for each.
        counts.append(len([each for each in statements if "received_message" not in str(each["sql"])]))
    assert Reading.objects.count() == 21
    assert counts[1] <= counts[0] + 3


def test_what_is_sent_again_is_stored_once() -> None:
    source = PushSourceFactory.create(ingestion_type=IngestionType.MQTT)
    sent = [(source, message_of("F1", row(0, 4.5)))] * 3
    load_messages(sent)
    load_messages(sent)
    assert (Reading.objects.count(), Delivery.objects.count()) == (1, 1)


def test_it_does_not_wait_for_a_change_of_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConflictError("The limits that units share are being changed.")

    monkeypatch.setattr("ingestion.loading.registration.hold_shared_limits_at_once", refuse)
    source = PushSourceFactory.create(ingestion_type=IngestionType.MQTT)
    with pytest.raises(ConflictError), transaction.atomic():
        load_messages([(source, message_of("F1", row(0, 4.5)))])
    assert not Delivery.objects.exists()


def kept(payload: bytes, *, is_old: bool = False, encoding: str = "") -> Source:
    """Return a source that has received a message that is kept as a rejected row."""
    source = PushSourceFactory.create(ingestion_type=IngestionType.MQTT, encoding=encoding)
    load_message(
        source, SentBody(data=payload, received_at=RECEIVED_AT, default_unit="F1", message_key=b"1", is_old=is_old)
    )
    assert (RejectedRow.objects.count(), Reading.objects.count()) == (1, 0)
    return source


def replayed(source: Source, **mapping: object) -> list[tuple[str, datetime, float | None]]:
    Source.objects.filter(pk=source.pk).update(**mapping)
    replay(RejectedRow.objects.select_related("source"), by="Anna")
    return list(Reading.objects.values_list("storage_unit__unit_code", "recorded_at", "temperature_c"))


@pytest.mark.parametrize(
    "payload",
    [
        b"at the cold store,temp,degrees\n2026-11-23 10:00:00,4.5,C\n2026-11-23 10:01:00,4.6,C\n",
        b'{"rows": [{"at the cold store": "2026-11-23T10:00:00Z", "temp": 4.5, "degrees": "C"},'
        b' {"at the cold store": "2026-11-23T10:01:00Z", "temp": 4.6, "degrees": "C"}]}',
    ],
    ids=["csv", "json"],
)
def test_a_kept_message_of_several_readings_is_stored_by_a_replay(payload: bytes) -> None:
    """A message that cannot be read is kept, to be replayed once the mapping is fixed, whatever its format."""
    source = kept(payload)
    times = [datetime(2026, 11, 23, 10, minute, tzinfo=UTC) for minute in (0, 1)]
    path = "rows" if payload.startswith(b"{") else ""
    stored = replayed(source, time_field="at the cold store", readings_path=path)
    assert stored == [("F1", times[0], 4.5), ("F1", times[1], 4.6)]
    assert RejectedRow.objects.get().state == RejectedRow.State.REPLAYED


ROW_WITHOUT_TIME = b"at the cold store,temp,degrees,unit_id\n2026-11-23 10:00:00,4.5,C,%s\n"


@pytest.mark.parametrize(
    "payload",
    [
        gzip.compress(ROW_WITHOUT_TIME % b"F1"),
        ROW_WITHOUT_TIME % "Kühlraum".encode("cp1252"),
        ROW_WITHOUT_TIME % b"F1" * 5_000,
        ROW_WITHOUT_TIME % b"F\0",
    ],
    ids=["gzip", "cp1252", "long", "NUL"],
)
def test_a_message_that_text_cannot_hold_says_that_it_cannot_be_replayed(payload: bytes) -> None:
    """Its text would bring another unit, or a part of its readings only, and count as replayed."""
    source = kept(payload)
    assert "cannot be replayed" in RejectedRow.objects.get().message

    assert replayed(source, time_field="at the cold store") == []
    row = RejectedRow.objects.get()
    assert (row.state, "cannot be replayed" in row.message) == (RejectedRow.State.WAITING, True)


def test_a_message_in_the_encoding_of_its_source_is_replayed() -> None:
    source = kept(ROW_WITHOUT_TIME % "Kühlraum".encode("cp1252"), encoding="cp1252")
    assert [row[0] for row in replayed(source, time_field="at the cold store")] == ["Kühlraum"]


@pytest.mark.parametrize(
    ("temperature", "stored"), [("4.5", 4.5), ('"ERR"', None)], ids=["a reading", "a rejected row"]
)
def test_a_message_that_waited_at_the_broker_gets_no_time_by_a_replay(temperature: str, stored: float | None) -> None:
    """Nobody knows when it was measured: only a time of its own can be stored."""
    source = kept(b'{"at": "2026-11-23T10:00:00Z", "temp": %s, "degrees": "C"}' % temperature.encode(), is_old=True)
    assert replayed(source, null_values=["ERR"]) == []
    row = RejectedRow.objects.get()
    assert (row.state, row.reason) == (RejectedRow.State.WAITING, "no_time")
    assert replayed(source, time_field="at") == [("F1", datetime(2026, 11, 23, 10, tzinfo=UTC), stored)]


def test_a_replayed_message_without_a_time_was_measured_when_it_was_received() -> None:
    """Not when it was stored, which may be after an outage of the database."""
    source = kept(b'{"temp": "ERR", "degrees": "C"}')
    assert replayed(source, null_values=["ERR"]) == [("F1", RECEIVED_AT, None)]
