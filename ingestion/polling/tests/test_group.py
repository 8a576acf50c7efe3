"""Several sources are polled together, and none of them depends on another."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from celery import Task, current_app
from kombu.exceptions import OperationalError
from pytest_django import Settings
from time_machine import Traveller

from core.leases import Claim
from ingestion.models import Delivery, IngestionType, Source, SourceUnit
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.claims import claim_due, claim_now
from ingestion.polling.fetch import FetchedBody
from ingestion.polling.group import poll_group
from ingestion.polling.http_poll import HttpPoll
from ingestion.polling.poll import poll
from ingestion.polling.tests.polling import ServedSource, asked_of, in_turn, json_answer
from ingestion.polling.tests.scripted_server import Visit, answer
from ingestion.tasks import GROUP_SIZE, poll_source, poll_sources, send_due_sources
from tests.factories import SourceFactory, StorageUnitFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

HOUR = timedelta(hours=1)
ONE_ROW = json_answer(json_body(json_row()))


def states(*sources: Source) -> list[tuple[int, bool]]:
    """Return the failures in a row of each source, and whether it is claimed."""
    for source in sources:
        source.refresh_from_db()
    return [(source.failures_in_a_row, source.claim_id is not None) for source in sources]


def statuses() -> list[str]:
    return list(Delivery.objects.order_by("source").values_list("status", flat=True))


def test_all_sources_of_a_group_are_requested_at_the_same_time(source_of: Callable[..., ServedSource]) -> None:
    all_requested = threading.Barrier(3, timeout=10)

    def answer_once_all_are_requested(visit: Visit) -> None:
        all_requested.wait()
        ONE_ROW(visit)

    sources = [source_of(answer_once_all_are_requested) for _ in range(3)]

    assert poll_group([claim_now(source) for source in sources]) == []

    assert states(*sources) == [(0, False)] * 3
    assert list(Delivery.objects.values_list("records_stored", flat=True)) == [1, 1, 1]


def test_a_failing_source_backs_off_alone(source_of: Callable[..., ServedSource]) -> None:
    sources = [source_of(script) for script in (ONE_ROW, answer(status="500 Oops"), ONE_ROW)]

    assert poll_group([claim_now(source) for source in sources]) == []

    assert states(*sources) == [(0, False), (1, False), (0, False)]
    assert statuses() == ["success", "failure", "success"]


def test_a_hanging_source_is_left_to_the_slow_queue(
    source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.polling.group.SLOW_SECONDS", 1.0)
    hanging, quick = source_of(lambda visit: visit.hang()), source_of(ONE_ROW)
    claim = claim_now(hanging)

    assert poll_group([claim, claim_now(quick)]) == [Claim(claim.row_id, claim.claim_id, is_slow=True)]

    assert states(hanging, quick) == [(0, True), (0, False)]
    assert (hanging.polls_begun, quick.polls_begun) == (0, 0)
    assert statuses() == ["success"]


def test_a_slow_look_for_late_units_is_left_to_the_slow_queue_as_well(
    source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look brings more than other polls, so it may be the only slow one: it must not be given up each time."""
    monkeypatch.setattr("ingestion.polling.group.SLOW_SECONDS", 0.5)
    is_left = threading.Event()

    def hang_until_left(_: Visit) -> None:
        is_left.wait(10)

    source = source_of(
        in_turn(hang_until_left, ONE_ROW), cursor_at=NOON, overlap_seconds=0, looked_back_at=NOON - 9 * HOUR
    )
    late = StorageUnitFactory(facility__customer=source.customer)
    unit = SourceUnit.objects.create(source=source, storage_unit=late, complete_until=NOON - 30 * HOUR)

    [left_over] = poll_group([claim_now(source)])
    is_left.set()

    unit.refresh_from_db()
    source.refresh_from_db()
    assert (unit.looked_at, source.looked_back_at) == (None, NOON - 9 * HOUR)
    poll(left_over)
    unit.refresh_from_db()
    assert asked_of(source.server) == ["/current?hours=30.0"] * 2
    assert unit.looked_at is not None


def test_an_internal_error_does_not_keep_the_others_from_being_loaded(
    source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = source_of(ONE_ROW), source_of(ONE_ROW)
    fetch = HttpPoll.fetch_first

    def fail_for_one(poll: HttpPoll) -> FetchedBody:
        if poll.source.pk == broken.pk:
            raise ZeroDivisionError
        return fetch(poll)

    monkeypatch.setattr(HttpPoll, "fetch_first", fail_for_one)

    with pytest.raises(ExceptionGroup):
        poll_group([claim_now(broken), claim_now(sound)])

    assert states(broken, sound) == [(1, False), (0, False)]
    assert statuses() == ["failure", "success"]


def test_a_source_with_pages_is_read_completely(source_of: Callable[..., ServedSource]) -> None:
    paged = source_of(
        in_turn(
            answer(
                json_body(json_row()).encode(),
                headers='Content-Type: application/json\r\nLink: <?page=2>; rel="next"\r\n',
            ),
            json_answer(json_body(json_row(sensor_id="sensor_9"))),
        )
    )

    assert poll_group([claim_now(paged)]) == []

    assert len(paged.server.heads) == 2
    assert Delivery.objects.get().records_stored == 2


def test_what_there_is_no_time_left_for_is_left_to_a_task_of_its_own(
    source_of: Callable[..., ServedSource], noon: Traveller, settings: Settings
) -> None:
    """All polls of a group share the time limit of one task: the last of them must not fail by it."""
    settings.POLL_SOFT_SECONDS, settings.SOURCE_TOTAL_SECONDS = 20, 5  # within a lease
    quick = source_of(json_answer('{"temp": 4}'), path="/{unit}", unit_codes=["one", "two"])

    def respond_slowly(visit: Visit) -> None:
        noon.shift(timedelta(seconds=settings.POLL_SOFT_SECONDS / 2))
        json_answer('{"temp": 4}')(visit)

    slow = source_of(respond_slowly, path="/{unit}", unit_codes=["three", "four"])
    claims = [claim_now(slow), claim_now(quick)]

    assert poll_group(claims) == claims[1:]

    assert states(slow, quick) == [(0, False), (0, True)]
    assert len(poll(claims[1])) == 1


def test_what_needs_more_than_a_request_is_left_to_a_task_of_its_own(source_of: Callable[..., ServedSource]) -> None:
    with_structure = source_of(ONE_ROW, structure_path="/structure")
    folder = SourceFactory(ingestion_type=IngestionType.FOLDER, url="file:///nowhere")
    claims = [claim_now(with_structure), claim_now(folder)]

    assert poll_group(claims) == claims
    assert states(with_structure, folder) == [(0, True), (0, True)]
    assert with_structure.server.heads == []


def test_sources_whose_settings_are_unusable_are_reported(source_of: Callable[..., ServedSource]) -> None:
    unusable, sound = source_of(ONE_ROW, path="/{nonsense}"), source_of(ONE_ROW)

    assert poll_group([claim_now(unusable), claim_now(sound)]) == []

    assert states(unusable, sound) == [(1, False), (0, False)]


def test_a_group_ignores_claims_that_are_no_longer_valid(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(ONE_ROW)
    poll_sources([(source.pk, str(uuid.uuid4()))])
    assert source.server.heads == []


def test_due_sources_are_sent_in_groups() -> None:
    SourceFactory.create_batch(GROUP_SIZE + 1, next_due_at="2026-03-02T12:00:00Z")

    with current_app.connection_for_read() as broker:
        queue = broker.SimpleQueue(current_app.conf.task_default_queue)
        queue.clear()  # of what other tests have sent in this process
        send_due_sources()
        sizes = [len(queue.get_nowait().payload[0][0]) for _ in range(2)]
    assert sizes == [GROUP_SIZE, 1]


@pytest.mark.parametrize("failing", [poll_sources, poll_source], ids=["a group", "a slow source"])
def test_sources_whose_message_cannot_be_sent_are_due_again(
    failing: Task[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("The broker is down.")

    due_at = "2026-03-02T12:00:00Z"
    quick, slow = SourceFactory(next_due_at=due_at), SourceFactory(next_due_at=due_at, failures_in_a_row=1)
    monkeypatch.setattr(failing, "apply_async", refuse)

    with pytest.raises(OperationalError):
        send_due_sources()

    unsent = {quick.pk, slow.pk} if failing is poll_sources else {slow.pk}
    assert {claim.row_id for claim in claim_due()} == unsent
