"""Small responses are loaded in one transaction, with the same outcome as one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import polars as pl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.loading.load import LoadResult
from ingestion.loading.registration import Register
from ingestion.loading.resolving import resolve
from ingestion.loading.small_deliveries import SmallDelivery, load_together
from ingestion.models import Conflict, Delivery, RejectedRow, Source, SourceUnit
from ingestion.parsing.results import ParsedBatch, RejectedReading
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling import shared_load
from ingestion.polling.claims import claim_now
from ingestion.polling.group import poll_group
from ingestion.polling.http_poll import HttpPoll, Part
from ingestion.polling.tests.polling import ServedSource, by_path, json_answer
from ingestion.polling.tests.scripted_server import Script, ScriptedServer, answer
from readings.models import HourlyRollup, LatestReading, Reading
from tests.factories import SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

Bodies = Mapping[str, tuple[Sequence[object], Sequence[object]]]

WARM = json_row(temperature=21.5)
OTHER_UNIT = json_row(unit_id="unit_A_1_2")
TOO_WARM = json_row(sensor_id="sensor_2", temperature="hot")


@pytest.fixture(autouse=True)
def all_arrive_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for all responses, however slow the machine is."""
    monkeypatch.setattr("ingestion.polling.group.TOGETHER_SECONDS", 5.0)


# Of each source in turn the bodies of two polls.
BODIES: Bodies = {
    "new rows": ([json_row()], [json_row(timestamp="2026-11-23T10:12:00")]),
    "repeated rows": ([json_row()], [json_row()]),
    "contradicting rows": ([json_row()], [WARM]),
    "rejected rows": ([json_row(), TOO_WARM], [TOO_WARM, OTHER_UNIT]),
    "rows dated ahead": ([json_row()], [json_row(timestamp="2026-11-23T20:00:00")]),
    "several units": ([json_row(), OTHER_UNIT], [WARM, OTHER_UNIT, json_row(unit_id="unit_A_1_3")]),
    "no readings": ([json_row()], []),
}
COUNTS = ("records_stored", "records_duplicate", "records_conflicting", "records_rejected")
# What a delivery says; its times, and the ids of what is stored, differ.
OUTCOME = ("source__name", "status", "error_message", "notes", "understood", "since", "until", "size_bytes", *COUNTS)
STATE = ("name", "cursor_at", "failures_in_a_row", "last_error", "claim_id", "lease_until", "polls_begun", "etag")


def together(sources: Sequence[Source]) -> None:
    assert poll_group([claim_now(source) for source in sources]) == []


def one_by_one(sources: Sequence[Source]) -> None:
    for source in sources:
        assert poll_group([claim_now(source)]) == []


def outcome_of(
    bodies: Bodies, serve: Callable[..., ScriptedServer], poll: Callable[[Sequence[Source]], None]
) -> dict[str, object]:
    """Return what is stored after two polls of a source for each of these bodies."""
    sources = []
    answers: dict[str, Script] = {}
    server = serve(lambda visit: by_path(answers)(visit))
    for number, name in enumerate(bodies):
        sources.append(SourceFactory(name=name, url=f"{server.url}/{number}", interval_seconds=60))
    own = Source.objects.filter(pk__in=[source.pk for source in sources])
    for turn in range(2):
        for number, of_turns in enumerate(bodies.values()):
            answers[f"/{number}"] = json_answer(json_body(*of_turns[turn]))
        poll(sources)
    units = Reading.objects.filter(storage_unit__facility__customer__sources__in=own)
    names = "storage_unit__facility__customer__sources__name"
    return {
        "deliveries": list(Delivery.objects.filter(source__in=own).order_by("source", "pk").values_list(*OUTCOME)),
        "states": list(own.order_by("pk").values_list(*STATE)),
        "readings": list(units.order_by(names, "storage_unit", "recorded_at").values_list(names, "temperature_c")),
        "rejected": list(RejectedRow.objects.filter(source__in=own).order_by("pk").values_list("reason", "raw")),
        "conflicts": Conflict.objects.filter(delivery__source__in=own).count(),
        "rollups": HourlyRollup.objects.filter(storage_unit__in=units.values("storage_unit")).count(),
        "latest": LatestReading.objects.filter(storage_unit__in=units.values("storage_unit")).count(),
        "progress": list(
            SourceUnit.objects.filter(source__in=own)
            .order_by("source", "storage_unit__unit_code")
            .values_list("source__name", "complete_until", "ahead_since")
        ),
    }


def test_the_outcome_is_that_of_one_by_one(
    serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = []

    def count(deliveries: Sequence[SmallDelivery]) -> list[LoadResult | None]:
        shared.append(len(deliveries))
        return load_together(deliveries)

    monkeypatch.setattr(shared_load, "load_together", count)

    assert outcome_of(BODIES, serve, together) == outcome_of(BODIES, serve, one_by_one)

    assert sum(shared) >= 2 * len(BODIES) - 1


def test_many_sources_take_as_many_statements_as_two(source_of: Callable[..., ServedSource]) -> None:
    # Rows that name a customer are compared with all customers, one query for each name.
    row = {name: value for name, value in json_row().items() if name != "customer_id"}
    sources = [source_of(json_answer(json.dumps([row])), path="/current") for _ in range(8)]
    together(sources)  # registers the units
    counts = []
    for polled in (sources[:2], sources):
        claims = [claim_now(source) for source in polled]
        with CaptureQueriesContext(connection) as statements:
            assert poll_group(claims) == []
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_an_error_of_one_source_is_reported_with_it_and_all_others_are_loaded(
    source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, poisonous, other = (source_of(json_answer(json_body(json_row()))) for _ in range(3))
    original = resolve

    def refuse(
        register: Register, batch: ParsedBatch, statuses: Mapping[str, int] | None
    ) -> tuple[pl.DataFrame, list[RejectedReading]]:
        if register.place_of(("somewhere", "unit")) == (poisonous.customer_id, "somewhere", "unit"):
            raise ZeroDivisionError
        return original(register, batch, statuses)

    monkeypatch.setattr("ingestion.loading.load.resolve", refuse)

    with pytest.raises(ExceptionGroup):
        together([sound, poisonous, other])

    outcomes = Delivery.objects.order_by("source").values_list("status", "records_stored")
    assert list(outcomes) == [("success", 1), ("failure", 0), ("success", 1)]


def test_sources_that_deliver_the_same_unit_are_loaded_one_after_the_other(
    source_of: Callable[..., ServedSource],
) -> None:
    first = source_of(json_answer(json_body(json_row())))
    second = source_of(json_answer(json_body(json_row())), customer=first.customer)

    together([first, second])

    rows = Delivery.objects.values_list("records_stored", "records_duplicate")
    assert sorted(rows) == [(0, 1), (1, 0)]


def test_a_claim_that_is_lost_meanwhile_stores_nothing_and_keeps_no_other_from_being_loaded(
    source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [source_of(json_answer(json_body(json_row()))) for _ in range(2)]
    paused = source_of(json_answer(json_body(json_row())))
    claims = [claim_now(source) for source in [paused, *sources]]
    small_part = HttpPoll.small_part

    def lose_the_claim(poll: HttpPoll, started_at: datetime) -> tuple[Part, ParsedBatch] | None:
        Source.objects.filter(pk=paused.pk).update(claim_id=None)
        return small_part(poll, started_at)

    monkeypatch.setattr(HttpPoll, "small_part", lose_the_claim)
    assert poll_group(claims) == []

    assert set(Delivery.objects.values_list("source", flat=True)) == {source.pk for source in sources}


@pytest.mark.parametrize(
    "unusual",
    [
        answer(b"", status="204 No Content"),
        json_answer("<html>sign in</html>"),
        json_answer(json.dumps([json_row(timestamp=f"2026-11-23T10:{n // 60:02}:{n % 60:02}") for n in range(300)])),
        answer(json_body(json_row()).encode()[:-20], length=5_000, headers="Content-Type: application/json\r\n"),
    ],
    ids=["no content", "no data", "many rows", "cut off"],
)
def test_what_is_not_a_small_response_is_loaded_alone(source_of: Callable[..., ServedSource], unusual: Script) -> None:
    small = [source_of(json_answer(json_body(json_row()))) for _ in range(2)]
    other = source_of(unusual)
    together([*small, other])
    assert Delivery.objects.filter(source__in=small, status="success", records_stored=1).count() == 2
    assert Delivery.objects.filter(source=other).count() == 1
