"""A due source is claimed by one poll at a time, on a grid of its own; lost messages cost only time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from core.leases import WORKING_LEASE, Claim, ClaimLost
from ingestion.models import Source
from ingestion.polling.claims import claim_due, claim_now, next_due, pause, poll_now, resume, source_leases
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


# When a source is due next


source_ids = st.integers(min_value=1, max_value=2**31)
intervals = st.integers(min_value=1, max_value=7 * 24 * 3600)
instants = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - the strategy takes naive bounds and adds the zones
    max_value=datetime(2060, 1, 1),  # noqa: DTZ001
    timezones=st.timezones(),
)


@given(source_ids, intervals, instants)
def test_the_next_due_time_is_at_most_one_interval_later(source_id: int, interval: int, after: datetime) -> None:
    due = next_due(source_id, interval, after)

    assert after < due <= after.astimezone(UTC) + timedelta(seconds=interval)


@given(source_ids, intervals, instants, st.integers(min_value=0, max_value=10**12))
def test_due_times_differ_by_whole_intervals(source_id: int, interval: int, after: datetime, microseconds: int) -> None:
    later = after.astimezone(UTC) + timedelta(microseconds=microseconds)

    apart = next_due(source_id, interval, later) - next_due(source_id, interval, after)

    assert apart >= timedelta(0)
    assert apart % timedelta(seconds=interval) == timedelta(0)


@given(source_ids, intervals, instants)
def test_following_the_grid_misses_no_slot(source_id: int, interval: int, after: datetime) -> None:
    due = next_due(source_id, interval, after)

    assert next_due(source_id, interval, due) == due + timedelta(seconds=interval)
    assert next_due(source_id, interval, due - timedelta(microseconds=1)) == due


def test_slots_missed_during_an_outage_are_skipped() -> None:
    before = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    due = next_due(7, 300, before)

    after_outage = next_due(7, 300, due + timedelta(days=3, seconds=1))

    assert after_outage == due + timedelta(days=3, seconds=300)


def test_a_grid_never_changes_between_versions() -> None:
    # Written down on purpose: another grid would move every source's polls on an upgrade.
    assert next_due(1, 300, datetime(2026, 11, 23, tzinfo=UTC)) == datetime(2026, 11, 23, 0, 1, 11, 773504, tzinfo=UTC)


def test_ten_thousand_sources_are_due_evenly_over_their_interval() -> None:
    start = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

    by_second = Counter(int((next_due(number, 60, start) - start).total_seconds()) for number in range(1, 10_001))

    # 10,000 over 60 seconds is 167 a second; a fair spread stays within five standard deviations of 13.
    assert set(by_second) <= set(range(61))
    assert max(by_second.values()) < 167 + 65
    assert min(by_second[second] for second in range(60)) > 167 - 65


def test_a_naive_time_or_an_interval_of_zero_is_rejected() -> None:
    with pytest.raises(ValueError, match="aware"):
        next_due(1, 60, datetime(2026, 11, 23))  # noqa: DTZ001
    with pytest.raises(ValueError, match="interval"):
        next_due(1, 0, datetime(2026, 11, 23, tzinfo=UTC))
