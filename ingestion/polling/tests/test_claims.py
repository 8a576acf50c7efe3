"""A due source is claimed by one poll at a time; lost messages and killed workers cost only time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from core.leases import WORKING_LEASE, Claim, ClaimLost
from ingestion.models import Source
from ingestion.polling.claims import claim_due, claim_now, pause, poll_now, resume, source_leases
from tests.factories import SourceFactory
from tests.running_system import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    return SourceFactory(next_due_at=timezone.now() - timedelta(seconds=1))


def test_a_due_source_is_claimed_once(source: Source) -> None:
    (claim,) = claim_due()
    assert claim.row_id == source.pk
    assert claim_due() == []


def test_an_expired_lease_is_claimed_again_and_the_old_claim_is_lost(source: Source, settings: Settings) -> None:
    (old,) = claim_due()
    (new,) = claim_due(timezone.now() + timedelta(seconds=settings.POLL_LEASE_SECONDS + 1))
    assert new.claim_id != old.claim_id
    with pytest.raises(ClaimLost), source_leases.hold(old):
        pass
    with source_leases.hold(new) as locked:
        assert locked == source


@pytest.mark.parametrize(
    "state",
    [
        {"next_due_at": timezone.now() + timedelta(hours=1)},
        {"is_paused": True},
        {"url": ""},
        {"customer__is_active": False},
    ],
    ids=["not due", "paused", "not polled", "inactive customer"],
)
def test_paused_and_inactive_sources_are_not_claimed(state: dict[str, object]) -> None:
    SourceFactory(**({"next_due_at": timezone.now() - timedelta(hours=1)} | state))
    assert claim_due() == []


def test_the_longest_overdue_come_first_and_the_rest_at_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.polling.claims.CLAIMS_PER_TICK", 2)
    now = timezone.now()
    sources = [SourceFactory(next_due_at=now - timedelta(minutes=minutes)) for minutes in (1, 3, 2)]
    assert {claim.row_id for claim in claim_due()} == {sources[1].pk, sources[2].pk}
    assert [claim.row_id for claim in claim_due()] == [sources[0].pk]


@pytest.mark.parametrize("state", [{"failures_in_a_row": 1}, {"last_duration_seconds": 5.0}])
def test_failing_and_slow_sources_are_marked_slow(source: Source, state: dict[str, float]) -> None:
    Source.objects.update(**state)
    (claim,) = claim_due()
    assert claim.is_slow


def test_a_person_can_poll_a_source_that_is_not_due(source: Source) -> None:
    Source.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
    with source_leases.hold(claim_now(source)) as locked:
        assert locked == source


def test_a_source_that_is_being_polled_cannot_be_claimed(source: Source) -> None:
    claim_due()
    with pytest.raises(ClaimLost, match="being polled"):
        claim_now(source)


def test_poll_now_makes_a_source_due(source: Source) -> None:
    Source.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
    assert poll_now(Source.objects.all()) == 1
    assert len(claim_due()) == 1


def test_a_paused_source_is_not_due_until_it_is_resumed(source: Source) -> None:
    assert pause(Source.objects.all()) == 1
    assert (pause(Source.objects.all()), poll_now(Source.objects.all()), claim_due()) == (0, 0, [])
    assert resume(Source.objects.all()) == 1
    assert len(claim_due()) == 1


def test_pausing_revokes_the_claim_of_a_running_poll(source: Source) -> None:
    (claim,) = claim_due()
    pause(Source.objects.all())
    with pytest.raises(ClaimLost), source_leases.hold(claim):
        pass


def test_claiming_is_one_query_however_many_are_due(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    SourceFactory.create_batch(20, next_due_at=timezone.now() - timedelta(seconds=1))
    with django_assert_num_queries(1):
        assert len(claim_due()) == 20


def test_a_poll_that_runs_has_a_short_lease_so_that_another_worker_takes_over_soon(source: Source) -> None:
    (claim,) = claim_due()
    with source_leases.work(claim):
        source.refresh_from_db()
        assert source.lease_until is not None
        assert source.lease_until <= timezone.now() + WORKING_LEASE
    assert claim_due(timezone.now() + WORKING_LEASE)[0].row_id == source.pk


@pytest.mark.django_db(transaction=True)
def test_the_lease_of_a_long_poll_is_renewed(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.leases.RENEW_EVERY_SECONDS", 0.05)
    (claim,) = claim_due()
    with source_leases.work(claim):
        Source.objects.update(lease_until=timezone.now() + timedelta(seconds=5))

        def is_renewed() -> bool:
            source.refresh_from_db()
            return source.lease_until is not None and source.lease_until > timezone.now() + timedelta(seconds=15)

        wait_until("the lease is renewed", is_renewed, seconds=20)


def test_a_claim_that_expired_in_a_queue_is_not_worked_on(source: Source) -> None:
    (claim,) = claim_due()
    Source.objects.update(lease_until=timezone.now())
    with pytest.raises(ClaimLost), source_leases.work(claim):
        pass


def test_claims_that_are_released_are_claimed_at_the_next_tick(source: Source) -> None:
    SourceFactory(next_due_at=source.next_due_at)
    released, kept = claim_due()
    source_leases.release([released])
    (again,) = claim_due()
    assert (again.row_id, again.claim_id == released.claim_id) == (released.row_id, False)
    with source_leases.hold(kept):
        pass


def test_releasing_a_claim_that_is_lost_leaves_the_new_one(source: Source) -> None:
    (old,) = claim_due()
    Source.objects.update(lease_until=timezone.now())
    (new,) = claim_due()
    source_leases.release([old])
    with source_leases.hold(new):
        pass


def test_what_cannot_be_sent_is_released_together_with_what_follows() -> None:
    SourceFactory.create_batch(4, next_due_at=timezone.now() - timedelta(seconds=1))
    sent, *unsent = claim_due()

    def send(group: Sequence[Claim]) -> None:
        if sent not in group:
            raise ConnectionError("The broker is down.")

    with pytest.raises(ConnectionError):
        source_leases.send_each([[sent], unsent[:2], unsent[2:]], send)

    assert {claim.row_id for claim in claim_due()} == {claim.row_id for claim in unsent}
