"""A poll requests the whole time since the last one, in parts if necessary, and repeats what was cut off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from ingestion.models import RejectedRow
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import csv_body, csv_row, json_body, json_row
from ingestion.polling.claims import next_due
from ingestion.polling.tests.polling import (
    ServedSource,
    asked_of,
    counts,
    csv_answer,
    in_turn,
    json_answer,
    polled,
    polled_once,
)
from ingestion.polling.tests.scripted_server import Script, answer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

HOUR = timedelta(hours=1)
MEASURED_AT = datetime(2026, 11, 23, 10, 11, 11, 123456, tzinfo=UTC)
UNAVAILABLE = answer(status="503 Service Unavailable", headers="Retry-After: 120\r\n")


# Catching up

SINCE_UNTIL = "/readings?from={since}&to={until}"


def test_after_an_outage_the_period_is_requested_in_parts_that_the_source_allows(
    source_of: Callable[..., ServedSource],
) -> None:
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


def test_a_failing_part_ends_the_poll_and_the_next_poll_continues_from_there(
    source_of: Callable[..., ServedSource],
) -> None:
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


def test_a_cut_off_part_is_requested_again_even_if_later_parts_are_complete(
    source_of: Callable[..., ServedSource],
) -> None:
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


def test_a_poll_that_runs_out_of_time_makes_the_next_one_due_at_once(
    source_of: Callable[..., ServedSource], settings: Settings
) -> None:
    settings.POLL_SOFT_SECONDS = settings.SOURCE_TOTAL_SECONDS = 30
    source = source_of(
        json_answer(json_body()), path=SINCE_UNTIL, cursor_at=NOON - 20 * HOUR, overlap_seconds=0, max_hours=8
    )

    assert len(polled(source)) == 1
    assert (source.cursor_at, source.next_due_at, source.claim_id) == (NOON - 12 * HOUR, NOON, None)


def test_a_source_with_a_lookback_is_requested_once_for_the_whole_outage(
    source_of: Callable[..., ServedSource],
) -> None:
    source = source_of(json_answer(json_body()), cursor_at=NOON - 20 * HOUR, overlap_seconds=900)
    polled(source)
    assert asked_of(source.server) == ["/current?hours=20.25"]


def test_data_no_longer_available_is_noted_once_and_does_not_hold_the_cursor_back(
    source_of: Callable[..., ServedSource],
) -> None:
    source = source_of(json_answer(json_body(json_row())), cursor_at=NOON - 30 * HOUR, overlap_seconds=0, max_hours=24)

    delivery = polled_once(source)

    assert asked_of(source.server) == ["/current?hours=24.0"]
    assert delivery.status == "partial"
    assert delivery.error_message == (
        "The source no longer provides data between 2026-11-22 06:00 and 2026-11-22 12:00 UTC. Import it from a file."
    )
    assert source.cursor_at == MEASURED_AT
    assert polled_once(source).status == "success"


# Bodies that are cut off

ROWS = [json_row(timestamp=f"2026-11-23T10:0{minute}:00") for minute in range(3)]


def cut_off(body: str, script: Callable[..., Script]) -> Script:
    """Return the response without its last fifty characters but with its full Content-Length."""
    return script(body[:-50], length=len(body))


@pytest.mark.parametrize(
    ("body", "script", "row_number"),
    [
        (json_body(*ROWS), json_answer, 3),
        (csv_body(*[csv_row(timestamp=str(row["timestamp"])) for row in ROWS]), csv_answer, 4),
    ],
    ids=["JSON", "CSV"],
)
def test_complete_rows_of_a_cut_off_body_are_stored_and_the_rest_with_the_next_poll(
    source_of: Callable[..., ServedSource], body: str, script: Callable[..., Script], row_number: int
) -> None:
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
