"""A source whose polls end their worker, by its memory or its time, is tried a few times, and then says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from core.leases import MAX_INTERRUPTED, Claim
from ingestion.models import Delivery, Source
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.claims import claim_due, poll_now
from ingestion.polling.http_poll import HttpPoll
from ingestion.polling.poll import poll
from ingestion.polling.tests.polling import ServedSource, json_answer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]


class _Killed(BaseException):
    """Ends the poll like a killed process: no handler of exceptions runs."""


@pytest.fixture
def source(source_of: Callable[..., ServedSource]) -> Source:
    return source_of(json_answer(json_body(json_row())), next_due_at=timezone.now())


def next_claim(number: int) -> Claim:
    """Return the claim of the tick after the lease of the one before has expired."""
    (claim,) = claim_due(timezone.now() + timedelta(minutes=number))
    return claim


def interrupt_polls(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def end_process(_: HttpPoll) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(HttpPoll, "fetch_new", end_process)
        for number in range(count):
            with pytest.raises(_Killed):
                poll(next_claim(number))


def test_a_source_that_ends_its_worker_each_time_is_polled_no_more(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_polls(MAX_INTERRUPTED, monkeypatch)

    (delivery,) = poll(next_claim(MAX_INTERRUPTED))

    assert (delivery.status, delivery.error_reason) == (Delivery.Status.FAILURE, "interrupted")
    assert claim_due(timezone.now() + timedelta(days=1)) == []
    source.refresh_from_db()
    assert "5 polls ended their worker" in source.last_error
    assert (source.is_paused, source.failures_in_a_row) == (False, 1)  # so that its alarm opens


def test_such_a_source_is_polled_by_the_slow_workers(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_polls(1, monkeypatch)
    assert next_claim(1).is_slow


def test_a_person_lets_it_be_polled_again(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_polls(MAX_INTERRUPTED, monkeypatch)
    poll(next_claim(MAX_INTERRUPTED))

    poll_now(Source.objects.all())
    (delivery,) = poll(next_claim(0))

    assert delivery.status == Delivery.Status.SUCCESS


def test_a_poll_that_ends_begins_the_count_anew(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_polls(MAX_INTERRUPTED - 1, monkeypatch)
    poll(next_claim(MAX_INTERRUPTED))
    source.refresh_from_db()
    assert source.polls_begun == 0


def test_a_poll_whose_failure_cannot_be_stored_has_not_ended_its_worker(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_full(*_: object) -> None:
        raise OperationalError("No space left on device")

    monkeypatch.setattr(HttpPoll, "fetch_new", disk_is_full)
    monkeypatch.setattr(HttpPoll, "_fail", disk_is_full)
    for number in range(MAX_INTERRUPTED + 2):
        with pytest.raises(OperationalError):
            poll(next_claim(number))
    source.refresh_from_db()
    assert source.polls_begun == 0
