"""Poll a source: request, parse and store its data, and schedule the next poll.

Requests are sent outside transactions. The readings of a part of the requested period are stored in one transaction,
which also moves the cursor, logs the delivery and, at the end of the poll, releases the claim. If the claim has been
lost by then, nothing is stored.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error

from core.backoff import FIRST_RETRY_SECONDS, backoff_seconds
from core.crypto.encryption import SecretUnreadable
from core.db import clock
from core.db.conflicts import cause_of
from core.leases import Claim, ClaimLost
from ingestion.loading.load import LoadRequest, LoadResult, Parsing, load, log_failure
from ingestion.loading.registration import Register, other_customer_test
from ingestion.models import Delivery, IngestionType, Source
from ingestion.parsing.parse import parse_body
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.results import ParsedBatch, UnreadableBody
from ingestion.parsing.site_structure import parse_site_structure
from ingestion.polling.claims import next_due, source_leases
from ingestion.polling.conditional import VALIDATOR_FIELDS, conditions_of, note_validators
from ingestion.polling.fetch import EXCERPT_BYTES, FetchedBody, FetchFailure
from ingestion.polling.pages import MAX_PAGES, next_page
from ingestion.polling.progress import advance, look_back, note_look
from ingestion.polling.request import (
    SourceMisconfigured,
    body_template,
    excerpt_of,
    redacted_url,
    request_source,
    requested_names,
)
from ingestion.sources.mapping import MappingError
from ingestion.sources.url_template import PlannedRequest, TemplateError, plan_requests

logger = structlog.get_logger(__name__)

STRUCTURE_EVERY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason for a failed poll and the delay the source requested."""

    reason: str
    message: str
    retry_after_seconds: int | None = None

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Return the failure that describes an exception."""
        match error:
            case FetchFailure():
                return cls(error.reason, error.message, error.retry_after_seconds)
            case UnreadableBody():
                return cls(error.reason.value, error.message)
            case SoftTimeLimitExceeded():
                limit = settings.POLL_SOFT_SECONDS
                return cls("timeout", f"The poll took longer than {limit} s. Set a shorter period per request.")
            case SourceMisconfigured() | MappingError() | TemplateError() | SecretUnreadable():
                return cls("source_settings", str(error))
            case Error() if cause := cause_of(error):
                return cls("internal_error", cause)
            case _:
                return cls("internal_error", f"{type(error).__name__} in this system. See the log for details.")


def poll(claim: Claim) -> list[Delivery]:
    """Poll the claimed source; return a delivery for each part of the requested period.

    The first failure ends the poll, is logged as a delivery and backs the source off; internal errors are raised as
    well. Raises ClaimLost, and then stores nothing of the current part.
    """
    with source_leases.work(claim):
        source = Source.objects.select_related("customer").get(pk=claim.row_id)
        with structlog.contextvars.bound_contextvars(
            customer=source.customer.customer_code, source=str(source.public_id)
        ):
            return _Poll(claim, source).run()


@dataclass(slots=True)
class _Response:
    """The response to a request; with `{unit}` in the URL, `unit_code` is its unit."""

    fetched: FetchedBody
    unit_code: str


@dataclass(slots=True)
class _Poll:
    claim: Claim
    source: Source
    started_at: datetime = field(default_factory=lambda: clock.database_now())
    problems: list[str] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    # The beginning of the response that failed, without secrets.
    excerpt: str = ""
    # Where the period of this poll begins.
    begins_at: datetime | None = None
    # Part of this or an earlier period is missing: the cursor must not pass it.
    has_gap: bool = False

    def run(self) -> list[Delivery]:
        try:
            self._read_structure_if_due()
            parts = self._parts()
            for number, part in enumerate(parts, start=1):
                are_more = number < len(parts)
                is_last = not are_more or self._is_out_of_time()
                self._load_part(part, are_more=are_more, is_last=is_last)
                if is_last:
                    break
        except ClaimLost:
            raise
        except Exception as error:
            failure = Failure.of(error)
            self._fail(failure)
            if failure.reason == "internal_error":
                raise
        return self.deliveries

    def _is_out_of_time(self) -> bool:
        """Return whether too little time is left for another request before the soft limit."""
        spent = (clock.database_now() - self.started_at).total_seconds()
        return bool(spent + settings.SOURCE_TOTAL_SECONDS >= settings.POLL_SOFT_SECONDS)

    def _parts(self) -> list[tuple[PlannedRequest, ...]]:
        """Return the requests of this poll, oldest period first; with `{unit}` in the URL one per unit and period."""
        overlap, cursor_at = timedelta(seconds=self.source.overlap_seconds), self._cursor()
        plans = [
            plan_requests(
                self.source.url.replace("{unit}", quote(unit_code, safe="")),
                cursor_at,
                self.started_at,
                overlap,
                timedelta(hours=self.source.max_hours),
                timedelta(hours=self.source.first_hours),
                zone=self.source.mapping.time_zone,
                body=body_template(self.source, unit_code),
            )
            for unit_code in self._unit_codes()
        ]
        self.begins_at = plans[0][0].window.since
        return list(zip(*plans, strict=True))

    def _cursor(self) -> datetime | None:
        """Return the source's cursor, or an earlier one if it is time to look back for units that report late."""
        cursor_at, overlap = self.source.cursor_at, timedelta(seconds=self.source.overlap_seconds)
        if cursor_at is None or not requested_names(self.source):
            return cursor_at
        begins_at = min(cursor_at, self.started_at) - overlap
        look = look_back(self.source, begins_at, self.started_at)
        note_look(self.source, look, look.since if look else begins_at, self.started_at)
        # Not earlier than max_hours, which the overlap must not exceed.
        return look.since + overlap if look else cursor_at

    def _unit_codes(self) -> list[str]:
        if not self.source.is_requested_by_unit:
            return [self.source.default_unit_code]
        if self.source.unit_codes:
            return self.source.unit_codes
        raise SourceMisconfigured("The URL contains {unit}. Enter the source's unit codes.")

    def _load_part(self, requests: Sequence[PlannedRequest], *, are_more: bool, is_last: bool) -> None:
        started_at = clock.database_now()
        with ExitStack() as bodies:
            responses = self._request(requests, bodies)
            window = requests[0].window
            load_request = LoadRequest(
                customer=self.source.customer,
                source=self.source,
                ingestion_type=IngestionType(self.source.ingestion_type),
                started_at=started_at,
                since=window.since,
                until=window.until,
                source_url=responses[0].fetched.url,
                size_bytes=sum(response.fetched.size_bytes for response in responses),
                default_unit_code=responses[0].unit_code if len(requests) == 1 else "",
            )
            with source_leases.hold(self.claim) as source:
                load_result = load(load_request, Parsing(lambda: self._parsed(responses)), problems=self.problems)
                self.has_gap |= load_result.is_cut_off
                if not self.has_gap:
                    self._move_cursor(source, load_result, window.until, are_more=are_more)
                    advance(source, load_result.newest_of_units, self.begins_at or window.since, self.started_at)
                if len(responses) == 1 and not self.has_gap:
                    note_validators(source, responses[0].fetched, requests[0].url, requests[0].body)
                self._succeed(source, are_more=are_more, is_last=is_last)
        self.deliveries.append(load_result.delivery)
        self.problems.clear()

    def _request(self, requests: Sequence[PlannedRequest], bodies: ExitStack) -> list[_Response]:
        """Send the requests and return the responses. Failures of some are noted; if all fail, raise."""
        responses: list[_Response] = []
        for request, unit_code in zip(requests, self._unit_codes(), strict=True):
            if request.missed:
                self.problems.append(
                    f"The source no longer provides data between {request.missed.since:%Y-%m-%d %H:%M} and"
                    f" {request.missed.until:%Y-%m-%d %H:%M} UTC. Import it from a file."
                )
            try:
                first = self._first_response(request, unit_code, bodies, is_alone=len(requests) == 1)
            except FetchFailure as failure:
                if len(requests) == 1 or (not responses and request is requests[-1]):
                    raise
                self.problems.append(f"Unit {unit_code}: {failure.message}")
                self.has_gap = True
            else:
                responses += [first, *self._further_pages(first, request, bodies)]
        return responses

    def _first_response(
        self, request: PlannedRequest, unit_code: str, bodies: ExitStack, *, is_alone: bool
    ) -> _Response:
        conditions = conditions_of(self.source, request.url, request.body) if is_alone else {}
        return _Response(bodies.enter_context(self._fetch(request.url, request.body, conditions)), unit_code)

    def _further_pages(self, first: _Response, request: PlannedRequest, bodies: ExitStack) -> Iterator[_Response]:
        """Yield the pages after the first one. What cannot be read is noted, and keeps the cursor where it is."""
        url = request.url
        response, requested, size = first, {url}, first.fetched.size_bytes
        while (page := next_page(response.fetched, url)) is not None:
            problem = page.problem
            if page.url in requested:
                problem = "its next page is one that has been read"
            elif len(requested) >= MAX_PAGES or size > settings.SOURCE_MAX_BYTES:
                problem = f"it has more than {len(requested)} pages"
            elif self._is_out_of_time():
                problem = "too little time is left for this poll"
            if not problem:
                try:
                    response = _Response(bodies.enter_context(self._fetch(page.url, request.body)), first.unit_code)
                except FetchFailure as failure:
                    problem = failure.message
            if problem:
                self.problems.append(message_for(Reason.INCOMPLETE_PAGES, why=problem.rstrip(".")))
                self.has_gap = True
                return
            url = page.url
            requested.add(url)
            size += response.fetched.size_bytes
            yield response

    def _fetch(self, url: str, body: bytes | None = None, conditions: Mapping[str, str] | None = None) -> FetchedBody:
        try:
            return request_source(self.source, url, body, conditions)
        except FetchFailure as failure:
            self.excerpt = excerpt_of(failure.body_start, self.source)
            raise

    def _parsed(self, responses: Sequence[_Response]) -> Iterator[ParsedBatch]:
        for response in responses:
            if response.fetched.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
                continue  # Some servers send a body all the same.
            response.fetched.body.seek(0)
            try:
                yield from parse_body(
                    response.fetched.body,
                    self.source.mapping,
                    content_type=response.fetched.content_type,
                    received_at=response.fetched.received_at,
                    is_cut_off=response.fetched.is_cut_off,
                    default_unit=response.unit_code,
                    max_bytes=settings.SOURCE_MAX_BYTES,
                    max_rows=settings.SOURCE_MAX_ROWS,
                    is_other_customer=other_customer_test(self.source.customer),
                )
            except UnreadableBody:
                response.fetched.body.seek(0)
                self.excerpt = excerpt_of(response.fetched.body.read(EXCERPT_BYTES), self.source)
                raise

    def _move_cursor(self, source: Source, load_result: LoadResult, until: datetime, *, are_more: bool) -> None:
        """Move the cursor to the newest instant up to which everything is stored.

        The period was received completely. A past period is complete up to its end; the newest one only up to its
        newest reading, because later readings may not have been published yet.
        """
        reached = until if are_more else load_result.newest and min(load_result.newest, until)
        if reached and (source.cursor_at is None or reached > source.cursor_at):
            source.cursor_at = reached

    def _succeed(self, source: Source, *, are_more: bool, is_last: bool) -> None:
        now = clock.database_now()
        source.failures_in_a_row = 0
        source.last_error = ""
        source.last_success_at = now
        is_due_at_once = are_more and not self.has_gap
        source.next_due_at = now if is_due_at_once else next_due(source.pk, source.interval_seconds, now)
        self._note_state(source, now, is_over=is_last)

    def _fail(self, failure: Failure) -> None:
        with source_leases.hold(self.claim) as source:
            now = clock.database_now()
            load_request = LoadRequest(
                customer=self.source.customer,
                source=self.source,
                ingestion_type=IngestionType(source.ingestion_type),
                started_at=self.started_at,
                source_url=redacted_url(source),
            )
            self.deliveries.append(log_failure(load_request, failure.reason, failure.message, self.excerpt))
            source.failures_in_a_row += 1
            source.last_error = failure.message
            wait_seconds = backoff_seconds(
                source.failures_in_a_row,
                random=random.SystemRandom(),
                # After a temporary failure, a source with a long interval must not wait for its next slot.
                first_seconds=min(source.interval_seconds, FIRST_RETRY_SECONDS),
                retry_after_seconds=failure.retry_after_seconds,
            )
            source.next_due_at = now + timedelta(seconds=wait_seconds)
            self._note_state(source, now, is_over=True)

    def _note_state(self, source: Source, now: datetime, *, is_over: bool) -> None:
        source.last_polled_at = now
        source.last_duration_seconds = (now - self.started_at).total_seconds()
        if is_over:
            source.claim_id = None
            source.lease_until = None
        source.save(update_fields=STATE_FIELDS)

    def _read_structure_if_due(self) -> None:
        """Register the customer's structure if due. A failure is noted and does not stop the poll."""
        read_at = self.source.structure_read_at
        if not self.source.structure_url or (read_at and read_at + STRUCTURE_EVERY > self.started_at):
            return
        try:
            with self._fetch(self.source.structure_url) as fetched:
                descriptions = parse_site_structure(fetched.body)
        except (FetchFailure, UnreadableBody) as failure:
            self.problems.append(f"The structure could not be read: {failure.message}")
            return
        with source_leases.hold(self.claim) as source:
            Register(self.source.customer, source).register(descriptions)
            source.structure_read_at = self.started_at
            source.save(update_fields=["structure_read_at"])


STATE_FIELDS = [
    "cursor_at",
    "failures_in_a_row",
    "last_error",
    "last_success_at",
    "last_polled_at",
    "last_duration_seconds",
    "next_due_at",
    "claim_id",
    "lease_until",
    *VALIDATOR_FIELDS,
]
