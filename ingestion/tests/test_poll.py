"""A poll asks, stores, moves the cursor and says when the next one is due; what goes wrong is told and tried again."""

import socket
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from customers.models import StorageUnit
from ingestion.claims import ClaimLost, claim_now, pause
from ingestion.models import Delivery, RejectedRow, Source
from ingestion.schedule import next_due
from ingestion.tasks import poll_source, send_due_sources
from ingestion.tests.parsed_batches import NOON
from ingestion.tests.parsing import csv_body, csv_row, json_body, json_row
from ingestion.tests.polling import (
    asked_of,
    by_path,
    counts,
    csv_answer,
    in_turn,
    json_answer,
    polled,
    polled_once,
)
from ingestion.tests.scripted_server import answer
from readings.models import Reading
from readings.scales import from_celsius
from tests.factories import SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

HOUR = timedelta(hours=1)
MEASURED_AT = datetime(2026, 11, 23, 10, 11, 11, 123456, tzinfo=UTC)
UNAVAILABLE = answer(status="503 Service Unavailable", headers="Retry-After: 120\r\n")


# When all goes well


def test_a_poll_stores_what_came_and_moves_the_cursor_to_the_newest_reading(source_of):
    older = json_row(timestamp="2026-11-23T10:00:00", temperature=-74.0)
    source = source_of(json_answer(json_body(json_row(), older)))

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("success", (2, 0, 0, 0))
    assert source.cursor_at == MEASURED_AT
    assert [each.temperature_c for each in Reading.objects.order_by("recorded_at")] == [-74.0, -74.31]
    assert (source.last_success_at, source.last_polled_at, source.last_error) == (NOON, NOON, "")


def test_a_delivery_says_what_was_asked_of_whom_and_how_much_came(source_of):
    body = json_body(json_row())
    source = source_of(json_answer(body), cursor_at=NOON - HOUR, overlap_seconds=900)

    delivery = polled_once(source)

    assert (delivery.customer, delivery.source, delivery.ingestion_type) == (source.customer, source, "api")
    assert (delivery.since, delivery.until) == (NOON - HOUR - timedelta(minutes=15), NOON)
    assert delivery.source_url == f"{source.server.url}/current?hours=1.25"
    assert delivery.size_bytes == len(body)


def test_the_next_poll_is_due_on_the_sources_own_grid_however_late_this_one_is(source_of, noon):
    source = source_of(json_answer(json_body()), interval_seconds=300)
    polled(source)
    first_due = source.next_due_at
    assert first_due == next_due(source.pk, 300, NOON)

    noon.move_to(first_due + timedelta(seconds=299))
    polled(source)
    assert source.next_due_at == first_due + timedelta(seconds=300)


def test_a_poll_gives_its_claim_back(source_of):
    source = source_of(json_answer(json_body()))
    polled(source)
    assert (source.claim_id, source.lease_until) == (None, None)


def test_an_answer_without_readings_leaves_the_cursor_where_it_was(source_of):
    source = source_of(json_answer(json_body()), cursor_at=NOON - HOUR)
    assert polled_once(source).status == "success"
    assert source.cursor_at == NOON - HOUR


def test_a_reading_from_a_fast_clock_moves_the_cursor_to_now_at_most(source_of):
    source = source_of(json_answer(json_body(json_row(timestamp="2026-11-23T20:00:00"))))
    polled(source)
    assert source.cursor_at == NOON


def test_an_old_reading_does_not_move_the_cursor_back(source_of):
    source = source_of(json_answer(json_body(json_row())), cursor_at=NOON - timedelta(minutes=1))
    polled(source)
    assert source.cursor_at == NOON - timedelta(minutes=1)


def test_polling_the_same_twice_stores_nothing_the_second_time(source_of):
    source = source_of(json_answer(json_body(json_row())))
    polled(source)
    assert counts(polled_once(source)) == (0, 1, 0, 0)


# When it does not


def test_a_failed_poll_is_logged_with_its_reason_and_keeps_the_cursor(source_of):
    source = source_of(answer(status="500 Internal Server Error"), cursor_at=NOON - HOUR)

    delivery = polled_once(source)

    assert (delivery.status, delivery.error_reason) == ("failure", "http_status")
    assert delivery.error_message == "The server answered with status 500."
    assert (source.cursor_at, source.last_success_at) == (NOON - HOUR, None)
    assert (source.failures_in_a_row, source.last_error) == (1, delivery.error_message)
    assert source.claim_id is None


def test_failures_in_a_row_are_backed_off_from_for_longer_each_time(source_of, noon):
    source = source_of(answer(status="404 Not Found"), interval_seconds=300)
    waits = []
    for _ in range(5):
        polled(source)
        waits.append((source.next_due_at - timezone.now()).total_seconds())
        noon.move_to(source.next_due_at)

    assert source.failures_in_a_row == 5
    for wait, usual in zip(waits, [15, 30, 60, 120, 240], strict=True):
        assert 0.75 * usual <= wait <= 1.25 * usual


def test_a_success_forgets_the_failures_before_it(source_of):
    source = source_of(in_turn(UNAVAILABLE, json_answer(json_body())))
    polled(source)
    polled(source)
    assert (source.failures_in_a_row, source.last_error) == (0, "")
    assert source.next_due_at == next_due(source.pk, source.interval_seconds, NOON)


def test_a_source_that_says_when_to_come_back_is_left_alone_until_then(source_of):
    source = source_of(UNAVAILABLE, interval_seconds=60)
    polled(source)
    assert timedelta(seconds=120) <= source.next_due_at - NOON <= timedelta(seconds=150)


def test_a_connection_that_nobody_takes_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    source = SourceFactory(url=f"http://127.0.0.1:{port}/current")
    assert polled_once(source).error_reason == "connection_refused"


def test_an_address_in_a_network_that_is_not_allowed_is_not_even_asked(source_of, settings):
    settings.SOURCE_ALLOWED_NETWORKS = []
    source = source_of(json_answer(json_body(json_row())))

    assert polled_once(source).error_reason == "address_not_allowed"
    assert source.server.heads == []


def test_a_fault_of_our_own_is_told_at_the_source_and_raised(source_of, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("ingestion.poll.parse_body", broken)
    source = source_of(json_answer(json_body(json_row())))

    with pytest.raises(ZeroDivisionError):
        polled(source)
    assert Delivery.objects.get().error_reason == "internal_error"
    assert source.last_error == "ZeroDivisionError in our own code; the log has the details."
    assert (source.failures_in_a_row, source.claim_id) == (1, None)


def test_settings_that_cannot_be_meant_are_told_at_the_source(source_of):
    source = source_of(json_answer(json_body(json_row())))
    Source.objects.update(time_zone="Europe/Atlantis")
    assert polled_once(source).error_reason == "source_settings"
    assert "Europe/Atlantis" in source.last_error


# When somebody else has taken over


@pytest.mark.django_db(transaction=True)
def test_a_poll_whose_source_is_paused_meanwhile_stores_and_logs_nothing(source_of):
    def pause_then_answer(visit):
        try:
            pause(Source.objects.all())
        finally:
            connection.close()  # this thread's own
        json_answer(json_body(json_row()))(visit)

    source = source_of(pause_then_answer)

    with pytest.raises(ClaimLost):
        polled(source)
    assert not Reading.objects.exists()
    assert not Delivery.objects.exists()
    assert not StorageUnit.objects.exists()
    assert (source.is_paused, source.cursor_at, source.failures_in_a_row) == (True, None, 0)


@pytest.mark.django_db(transaction=True)
def test_a_failure_of_a_poll_that_lost_its_claim_is_not_counted_against_the_source(source_of):
    def pause_then_fail(visit):
        try:
            pause(Source.objects.all())
        finally:
            connection.close()
        UNAVAILABLE(visit)

    source = source_of(pause_then_fail)

    with pytest.raises(ClaimLost):
        polled(source)
    assert (source.failures_in_a_row, Delivery.objects.count()) == (0, 0)


def test_a_message_with_an_old_claim_does_nothing(source_of):
    source = source_of(json_answer(json_body(json_row())))
    poll_source(source.pk, str(uuid.uuid4()))
    assert source.server.heads == []


def test_a_message_twice_polls_once(source_of):
    source = source_of(json_answer(json_body(json_row())))
    claim = claim_now(source)
    for _ in range(2):
        poll_source(claim.source_id, str(claim.claim_id))
    assert len(source.server.heads) == 1


def test_what_is_due_is_sent_by_its_ids_and_what_dawdles_to_a_queue_of_its_own(settings):
    quick = SourceFactory(next_due_at=NOON)
    slow = SourceFactory(next_due_at=NOON, failures_in_a_row=1)

    send_due_sources()

    with current_app.connection_for_read() as broker:
        for source, queue in ((quick, settings.CELERY_TASK_DEFAULT_QUEUE), (slow, settings.SLOW_QUEUE)):
            message = broker.SimpleQueue(queue).get_nowait()
            source.refresh_from_db()
            assert message.payload[0] == [source.pk, str(source.claim_id)]
            assert datetime.fromisoformat(message.headers["expires"]) == NOON + timedelta(
                seconds=settings.POLL_LEASE_SECONDS
            )


# The structure


STRUCTURE = json_answer('{"facilities": [{"id": "facility_A_1", "units": [{"id": "unit_A_1_1", "name": "Freezer"}]}]}')


def test_the_structure_is_read_again_a_day_later_and_not_before(source_of, noon):
    script = by_path({"/facilities": STRUCTURE, "/current": json_answer(json_body())})
    source = source_of(script, path="/current", structure_path="/facilities")
    for moment in (NOON, NOON + 23 * HOUR, NOON + 24 * HOUR):
        noon.move_to(moment)
        polled(source)
    assert asked_of(source.server) == ["/facilities", "/current", "/current", "/facilities", "/current"]


@pytest.mark.parametrize(
    "structure",
    [answer(status="404 Not Found"), json_answer("{}"), json_answer("[")],
    ids=["none", "no list", "broken"],
)
def test_a_structure_that_cannot_be_read_is_told_and_stands_in_nothings_way(source_of, structure):
    script = by_path({"/facilities": structure, "/current": json_answer(json_body(json_row()))})
    source = source_of(script, path="/current", structure_path="/facilities")

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("partial", (1, 0, 0, 0))
    assert delivery.error_message.startswith("The structure could not be read: ")
    assert source.cursor_at == MEASURED_AT
    assert (source.failures_in_a_row, source.structure_read_at) == (0, None)


# Catching up

SINCE_UNTIL = "/readings?from={since}&to={until}"


def test_after_an_outage_the_span_is_asked_for_in_pieces_that_the_source_allows(source_of):
    source = source_of(
        in_turn(
            json_answer(json_body(json_row(timestamp="2026-11-22T17:00:00"))),
            json_answer(json_body(json_row(timestamp="2026-11-23T01:00:00"))),
            json_answer(json_body(json_row(timestamp="2026-11-23T11:00:00"))),
        ),
        path=SINCE_UNTIL,
        cursor_at=NOON - 20 * HOUR,
        overlap_seconds=0,
        max_hours=8,
    )

    deliveries = polled(source)

    assert asked_of(source.server) == [
        "/readings?from=2026-11-22T16:00:00Z&to=2026-11-23T00:00:00Z",
        "/readings?from=2026-11-23T00:00:00Z&to=2026-11-23T08:00:00Z",
        "/readings?from=2026-11-23T08:00:00Z&to=2026-11-23T12:00:00Z",
    ]
    assert [(each.status, each.since, each.records_stored) for each in deliveries] == [
        ("success", NOON - 20 * HOUR, 1),
        ("success", NOON - 12 * HOUR, 1),
        ("success", NOON - 4 * HOUR, 1),
    ]
    assert source.cursor_at == NOON - HOUR
    assert source.next_due_at == next_due(source.pk, source.interval_seconds, NOON)


def test_a_piece_that_fails_ends_the_poll_and_the_next_one_goes_on_from_there(source_of):
    source = source_of(
        in_turn(json_answer(json_body()), UNAVAILABLE, json_answer(json_body())),
        path=SINCE_UNTIL,
        cursor_at=NOON - 20 * HOUR,
        overlap_seconds=0,
        max_hours=8,
    )

    assert [each.status for each in polled(source)] == ["success", "failure"]
    assert source.cursor_at == NOON - 12 * HOUR

    assert [each.since for each in polled(source)] == [NOON - 12 * HOUR, NOON - 4 * HOUR]


def test_a_piece_that_was_cut_off_is_asked_for_again_though_later_ones_came_whole(source_of):
    row = json_body(json_row(timestamp="2026-11-23T11:00:00"))
    source = source_of(
        in_turn(answer(row[:-50].encode(), length=len(row)), json_answer(row)),
        path=SINCE_UNTIL,
        cursor_at=NOON - 20 * HOUR,
        overlap_seconds=0,
        max_hours=8,
    )

    assert [each.status for each in polled(source)] == ["partial", "success", "success"]
    assert source.cursor_at == NOON - 20 * HOUR

    assert [each.since for each in polled(source)] == [NOON - 20 * HOUR, NOON - 12 * HOUR, NOON - 4 * HOUR]
    assert source.cursor_at == NOON - HOUR


def test_a_poll_that_runs_out_of_time_leaves_the_rest_to_the_next_which_is_due_at_once(source_of, settings):
    settings.POLL_SOFT_SECONDS = settings.SOURCE_TOTAL_SECONDS = 30
    source = source_of(
        json_answer(json_body()), path=SINCE_UNTIL, cursor_at=NOON - 20 * HOUR, overlap_seconds=0, max_hours=8
    )

    assert len(polled(source)) == 1
    assert (source.cursor_at, source.next_due_at, source.claim_id) == (NOON - 12 * HOUR, NOON, None)


def test_a_source_that_is_asked_by_hours_is_asked_once_for_the_whole_outage(source_of):
    source = source_of(json_answer(json_body()), cursor_at=NOON - 20 * HOUR, overlap_seconds=900)
    polled(source)
    assert asked_of(source.server) == ["/current?hours=20.25"]


def test_what_a_source_can_no_longer_give_is_told_once_and_does_not_hold_the_cursor_back(source_of):
    source = source_of(json_answer(json_body(json_row())), cursor_at=NOON - 30 * HOUR, overlap_seconds=0, max_hours=24)

    delivery = polled_once(source)

    assert asked_of(source.server) == ["/current?hours=24.0"]
    assert delivery.status == "partial"
    assert delivery.error_message == (
        "The source can't be asked for what lies between 2026-11-22 06:00 and 2026-11-22 12:00 UTC any more;"
        " import it from a file."
    )
    assert source.cursor_at == MEASURED_AT
    assert polled_once(source).status == "success"


# Bodies that are cut off

ROWS = [json_row(timestamp=f"2026-11-23T10:0{minute}:00") for minute in range(3)]


def cut_off(body, script):
    """The answer without the last fifty characters, though it claims to have them."""
    return script(body[:-50], length=len(body))


@pytest.mark.parametrize(
    ("body", "script", "row_number"),
    [
        (json_body(*ROWS), json_answer, 3),
        (csv_body(*[csv_row(timestamp=row["timestamp"]) for row in ROWS]), csv_answer, 4),
    ],
    ids=["JSON", "CSV"],
)
def test_of_a_cut_off_body_whole_rows_are_stored_and_the_rest_comes_with_the_next_poll(
    source_of, body, script, row_number
):
    source = source_of(in_turn(cut_off(body, script), script(body)))

    delivery = polled_once(source)
    assert (delivery.status, counts(delivery)) == ("partial", (2, 0, 0, 1))
    rejected = RejectedRow.objects.get()
    assert (rejected.reason, rejected.row_number) == ("cut_off", row_number)
    assert body[:-50].endswith(rejected.raw)
    assert source.cursor_at is None
    assert source.next_due_at == next_due(source.pk, source.interval_seconds, NOON)

    delivery = polled_once(source)
    assert (delivery.status, counts(delivery)) == ("success", (1, 2, 0, 0))
    assert source.cursor_at == datetime(2026, 11, 23, 10, 2, tzinfo=UTC)


# One unit at a time


def test_a_unit_that_fails_is_told_and_the_others_are_stored(source_of):
    rooms = {"/unit/one": json_answer('{"temp": 0, "degrees": "F"}'), "/unit/three": json_answer('{"temp": 45}')}
    source = source_of(by_path(rooms), path="/unit/{unit}", unit_codes=["one", "two", "three"])

    delivery = polled_once(source)

    assert (delivery.status, counts(delivery)) == ("partial", (2, 0, 0, 0))
    assert delivery.error_message == "Unit two: The server answered with status 404."
    assert sorted(StorageUnit.objects.values_list("unit_code", flat=True)) == ["one", "three"]
    assert source.failures_in_a_row == 0


def test_a_unit_that_fails_holds_the_cursor_back(source_of):
    script = by_path({"/one": json_answer(json_body(json_row()))})
    source = source_of(script, path="/{unit}?hours={hours}", unit_codes=["one", "two"], cursor_at=NOON - 5 * HOUR)
    polled(source)
    assert source.cursor_at == NOON - 5 * HOUR


def test_a_poll_of_which_every_unit_fails_is_a_failure(source_of):
    source = source_of(UNAVAILABLE, path="/unit/{unit}", unit_codes=["one", "two"])
    assert polled_once(source).error_reason == "http_status"
    assert source.failures_in_a_row == 1


def test_a_url_that_asks_for_units_wants_to_be_told_which(source_of):
    source = source_of(json_answer("{}"), path="/unit/{unit}")
    assert polled_once(source).error_reason == "source_settings"
    assert source.last_error == "The URL asks for one {unit} at a time; enter the source's unit codes."


def test_a_units_code_is_quoted_in_its_url(source_of):
    source = source_of(json_answer('{"temp": 4}'), path="/unit/{unit}", unit_codes=["Cold Room {1}/2"])
    polled(source)
    assert source.server.heads[0].startswith(b"GET /unit/Cold%20Room%20%7B1%7D%2F2 HTTP")
    assert StorageUnit.objects.get().unit_code == "Cold Room {1}/2"


# Credentials


@pytest.mark.parametrize(
    ("kind", "name", "sent"),
    [
        ("basic", "anna", b"\r\nAuthorization: Basic YW5uYTpodW50ZXIy\r\n"),
        ("bearer", "", b"\r\nAuthorization: Bearer hunter2\r\n"),
        ("header", "X-Api-Key", b"\r\nX-Api-Key: hunter2\r\n"),
        ("query", "code", b"GET /current?code=hunter2 HTTP"),
    ],
)
def test_a_source_is_asked_with_its_credentials_which_no_delivery_shows(source_of, kind, name, sent):
    source = source_of(
        json_answer(json_body(json_row())),
        path="/current",
        credentials_kind=kind,
        credentials_name=name,
        credentials_secret="hunter2",
    )
    delivery = polled_once(source)
    assert sent in source.server.heads[0]
    assert "hunter2" not in delivery.source_url


def test_the_structure_is_asked_for_with_them_as_well(source_of):
    script = by_path({"/facilities": STRUCTURE, "/current": json_answer(json_body())})
    source = source_of(
        script,
        path="/current",
        structure_path="/facilities",
        credentials_kind="bearer",
        credentials_secret="hunter2",
    )
    polled(source)
    assert all(b"Bearer hunter2" in head for head in source.server.heads)


def test_credentials_under_a_lost_key_are_told_and_nobody_is_asked(source_of, settings):
    source = source_of(json_answer(json_body()), credentials_kind="bearer", credentials_secret="hunter2")
    settings.SOURCE_CREDENTIALS_KEYS = ["another key than the one it was stored under"]
    assert polled_once(source).error_reason == "source_settings"
    assert "SOURCE_CREDENTIALS_KEYS" in source.last_error
    assert source.server.heads == []


# What a source's configuration says


def test_fields_of_other_names_are_taken_in_by_the_sources_mapping_alone(source_of):
    body = (
        "Bericht vom 1.7.2026\r\n"
        "Raum;Messstelle;Zeitpunkt;Wert °F;Güte\r\n"
        "Kühlraum Süd;S1;01.07.2026 14:30;39,25;0,97\r\n"
        "Kühlraum Süd;S1;01.07.2026 14:45;---;0,5\r\n"
    ).encode("latin-1")
    source = source_of(
        csv_answer(body),
        encoding="latin-1",
        delimiter=";",
        decimal_mark=",",
        skip_until_header=True,
        unit_field="Raum",
        sensor_field="Messstelle",
        time_field="Zeitpunkt",
        time_format="%d.%m.%Y %H:%M",
        time_zone="Europe/Berlin",
        temperature_field="Wert °F",
        scale="F",
        quality_field="Güte",
        facility_field="=lager",
        null_values=["---"],
    )

    assert counts(polled_once(source)) == (2, 0, 0, 0)

    first, second = Reading.objects.select_related("storage_unit__facility", "sensor").order_by("recorded_at")
    assert first.recorded_at == datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    assert (from_celsius(first.temperature_c, first.scale), first.scale) == (39.25, "F")
    assert (first.quality_score, second.quality_score) == (0.97, 0.5)
    assert second.temperature_c is None
    assert (first.storage_unit.unit_code, first.sensor.sensor_code) == ("Kühlraum Süd", "S1")
    assert first.storage_unit.facility.facility_code == "lager"


def test_rows_that_name_no_unit_or_facility_belong_to_the_sources_own(source_of):
    source = source_of(
        json_answer('[{"temperature": 4.0, "timestamp": "2026-11-23T10:00:00"}]'),
        default_unit_code="fridge",
        default_facility_code="shop",
    )
    polled(source)
    unit = StorageUnit.objects.select_related("facility").get()
    assert (unit.unit_code, unit.facility.facility_code) == ("fridge", "shop")
