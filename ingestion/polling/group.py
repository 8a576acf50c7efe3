"""Poll several sources together: request all at once, and load each as soon as its response has arrived.

Threads only fetch; everything that uses the database happens in the caller's thread. Small responses that arrive at
about the same time are loaded in one transaction, all others one after the other, as if each was polled alone. A group
does not wait for a hanging server: after a few seconds the claims of sources that have not responded are left to tasks
of their own, and what arrives later is dropped. So are those whose poll takes more than an HTTP request, such as
folders and access tokens. Polls of several requests or pages are run after the others, as far as time is left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import NamedTuple

import structlog

from core.leases import Claim, ClaimLost, Working
from core.tracing import span
from ingestion.models import Source
from ingestion.polling.claims import SLOW_SECONDS, source_leases
from ingestion.polling.http_poll import HttpPoll, Outcome
from ingestion.polling.pages import next_page
from ingestion.polling.poll import bound_source, poll_of
from ingestion.polling.shared_load import load_small

logger = structlog.get_logger(__name__)

# How long to wait, after a response, for others to load together with it.
TOGETHER_SECONDS = 0.1


class _Arrived(NamedTuple):
    """What became of a source's request, and whether its response has further pages."""

    source_id: int
    outcome: Outcome
    is_paged: bool = False


@dataclass(slots=True)
class _Group:
    """The polls of a group, and what became of them."""

    working: Working
    left_over: list[Claim] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    waiting: dict[int, HttpPoll] = field(default_factory=dict)
    later: list[HttpPoll] = field(default_factory=list)
    arrived: SimpleQueue[_Arrived] = field(default_factory=SimpleQueue)

    def leave(self, claim: Claim) -> None:
        """Leave a source to a task of its own, with a lease that covers the wait for it."""
        self.working.end(claim)
        try:
            source_leases.wait_again(claim)
        except ClaimLost as lost:
            logger.info("claim lost", source_id=claim.row_id, message=str(lost))
        else:
            self.left_over.append(claim)

    def leave_poll(self, poll: HttpPoll, *, is_slow: bool) -> None:
        """Leave a poll that was planned to a task of its own, which plans it again."""
        poll.leave_planned()
        poll.close_outcome()
        self.leave(replace(poll.claim, is_slow=is_slow))

    def arrive(self, ends_at: float) -> list[HttpPoll]:
        """Return the polls whose responses arrive next, at about the same time; none if none does until `ends_at`."""
        polls: list[HttpPoll] = []
        while self.waiting:
            try:
                arrived = self.arrived.get(timeout=max(ends_at - time.monotonic(), 0))
            except Empty:
                break
            if not polls:
                ends_at = min(ends_at, time.monotonic() + TOGETHER_SECONDS)
            poll = self.waiting.pop(arrived.source_id)
            poll.outcome = arrived.outcome
            if arrived.is_paged:
                self.later.append(poll)
            else:
                polls.append(poll)
        return polls

    def finish(self, poll: HttpPoll) -> None:
        """Load what was fetched, and end the poll. An internal error must not keep the others from being loaded."""
        with bound_source(poll.source):
            try:
                poll.run()
            except ClaimLost as lost:
                logger.info("claim lost", source_id=poll.source.pk, message=str(lost))
            except Exception as error:
                logger.exception("poll failed")
                source_leases.note_survived(poll.claim)
                self.errors.append(error)
            finally:
                self.working.end(poll.claim)


def poll_group(claims: Sequence[Claim]) -> list[Claim]:
    """Poll these sources and return the claims that are left to tasks of their own, `is_slow` if they are slow.

    Failures are logged as those of single polls are. Raise the internal errors, together, after all others were loaded.
    """
    with span("poll sources", sources=len(claims)), source_leases.work_together(claims) as working:
        group = _begun(claims, working)
        _request(group)
        ends_at = time.monotonic() + SLOW_SECONDS
        while polls := group.arrive(ends_at):
            for poll in load_small(polls):
                group.finish(poll)
        for poll in group.waiting.values():
            group.leave_poll(poll, is_slow=True)
        for poll in group.later:
            # They share the time limit of this task: one that reached it would fail by the time of the others.
            if poll.is_out_of_time():
                group.leave_poll(poll, is_slow=False)
            else:
                group.finish(poll)
    if group.errors:
        raise ExceptionGroup("polls failed", group.errors)
    return group.left_over


def _begun(claims: Sequence[Claim], working: Working) -> _Group:
    """Return the polls of the claims that are still valid. One query."""
    group = _Group(working)
    for claim in claims:
        if claim.row_id not in working.claims:
            logger.info("claim lost", source_id=claim.row_id)
    sources = Source.objects.select_related("customer").in_bulk(list(working.claims))
    for claim in list(working.claims.values()):
        if claim.row_id not in sources:
            continue
        poll = poll_of(claim, sources[claim.row_id])
        if isinstance(poll, HttpPoll) and poll.is_simple:
            group.waiting[claim.row_id] = poll
        else:
            group.leave(claim)
    return group


def _request(group: _Group) -> None:
    """Send the request of each poll that consists of one, each in a thread of its own; the others follow later."""
    for source_id, poll in list(group.waiting.items()):
        try:
            is_single = poll.plan_single()
        except Exception:  # noqa: BLE001  the poll plans again, and reports what it raises
            is_single = False
        if is_single:
            arguments = (_fetch, group.arrived, source_id, poll)
            threading.Thread(target=copy_context().run, args=arguments, daemon=True).start()
        else:
            group.later.append(group.waiting.pop(source_id))


def _fetch(arrived: SimpleQueue[_Arrived], source_id: int, poll: HttpPoll) -> None:
    try:
        fetched = poll.fetch_first()
        arrived.put(_Arrived(source_id, fetched, next_page(fetched, poll.source.request_url) is not None))
    except Exception as error:  # noqa: BLE001  raised again by the poll, which reports it
        arrived.put(_Arrived(source_id, error))
