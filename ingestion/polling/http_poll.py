"""Poll a source over HTTP: request, parse and store its data, page by page and period by period."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import TypeAlias
from urllib.parse import quote

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings

from core.db import clock
from core.leases import MAX_INTERRUPTED
from ingestion.loading.load import LoadRequest, LoadResult, Parsing, load
from ingestion.loading.registration import Register, other_customer_test
from ingestion.models import IngestionType, Source
from ingestion.parsing.limits import check_row_count
from ingestion.parsing.parse import parse_body
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.results import ParsedBatch, UnreadableBody
from ingestion.parsing.site_structure import parse_site_structure
from ingestion.polling.claims import source_leases
from ingestion.polling.conditional import conditions_of, note_validators
from ingestion.polling.fetch import EXCERPT_BYTES, FetchedBody, FetchFailure
from ingestion.polling.pages import MAX_PAGES, next_page
from ingestion.polling.progress import Delivered, LookBack, advance, forget_look, look_back, note_look
from ingestion.polling.request import (
    SourceMisconfigured,
    body_template,
    excerpt_of,
    request_source,
    requested_names,
)
from ingestion.polling.source_poll import SourcePoll
from ingestion.sources.credentials import CredentialsKind
from ingestion.sources.url_template import PlannedRequest, plan_requests

STRUCTURE_EVERY = timedelta(hours=24)
# Responses of up to this size are loaded together.
SMALL_BYTES = 64 * 1024
SMALL_ROWS = 200

# What became of a request: its response, or what was raised.
Outcome: TypeAlias = FetchedBody | Exception


@dataclass(slots=True)
class _Response:
    """The response to a request; with `{unit}` in the URL, `unit_code` is its unit."""

    fetched: FetchedBody
    unit_code: str


@dataclass(frozen=True, slots=True)
class Part:
    """The responses for one period of a poll, and the delivery that they make up."""

    requests: Sequence[PlannedRequest]
    responses: Sequence[_Response]
    load_request: LoadRequest


@dataclass(slots=True)
class HttpPoll(SourcePoll):
    """A poll of a URL: a request for each period and unit, and for further pages."""

    # Where the period of this poll begins.
    begins_at: datetime | None = None
    # Of the only request, if it was sent in advance; see `ingestion.polling.group`.
    outcome: Outcome | None = None
    planned: list[tuple[PlannedRequest, ...]] | None = None
    # Whether it looks back for late units, and when the source was last looked through before.
    look: LookBack | None = None
    looked_back_before: datetime | None = None

    @property
    def is_simple(self) -> bool:
        """Whether nothing but the source's data is requested: neither its structure nor an access token."""
        return not self._is_structure_due() and self.source.credentials_kind != CredentialsKind.OAUTH2

    def plan_single(self) -> bool:
        """Plan the requests of this poll; return whether it is a single one. Raise what planning raises."""
        self.planned = self._parts()
        return len(self.planned) == 1 and len(self.planned[0]) == 1

    def leave_planned(self) -> None:
        """Leave what was planned to another poll, which plans it again."""
        if self.planned is not None and self.source.cursor_at is not None and requested_names(self.source):
            forget_look(self.source, self.look, self.looked_back_before)

    def fetch_first(self) -> FetchedBody:
        """Send the first planned request; uses no database. Raise what `request_source` raises."""
        request = (self.planned or [])[0][0]
        conditions = conditions_of(self.source, request.url, request.body)
        return request_source(self.source, request.url, request.body, conditions)

    def fetch_new(self) -> None:
        """Request the time since the cursor, oldest period first. The first failure ends the poll."""
        self._read_structure_if_due()
        parts = self._parts() if self.planned is None else self.planned
        for number, part in enumerate(parts, start=1):
            if self._load_part(part, are_more=number < len(parts)):
                break

    def _parts(self) -> list[tuple[PlannedRequest, ...]]:
        """Return the requests of this poll, oldest period first; with `{unit}` in the URL one per unit and period."""
        overlap, cursor_at = timedelta(seconds=self.source.overlap_seconds), self._cursor()
        plans = [
            plan_requests(
                self.source.request_url.replace("{unit}", quote(unit_code, safe="")),
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
        self.looked_back_before = self.source.looked_back_at
        self.look = look = look_back(self.source, begins_at, self.started_at)
        note_look(self.source, look, look.since if look else begins_at, self.started_at)
        # Not earlier than max_hours, which the overlap must not exceed.
        return look.since + overlap if look else cursor_at

    def _unit_codes(self) -> list[str]:
        if not self.source.is_requested_by_unit:
            return [self.source.default_unit_code]
        if self.source.unit_codes:
            return self.source.unit_codes
        raise SourceMisconfigured("The URL contains {unit}. Enter the source's unit codes.")

    def _load_part(self, requests: Sequence[PlannedRequest], *, are_more: bool) -> bool:
        """Request and load a period; return whether the poll ends with it."""
        started_at = clock.database_now()
        with ExitStack() as bodies:
            part = self._part(requests, self._request(requests, bodies), started_at)
            is_last = not are_more or self.is_out_of_time()
            with source_leases.hold(self.claim) as source:
                batches = Parsing(lambda: self._parsed(part.responses))
                load_result = load(part.load_request, batches, problems=self.problems)
                advance(self.take_over(source, part, load_result, are_more=are_more))
                self.succeed(source, are_more=are_more, is_last=is_last)
        self.deliveries.append(load_result.delivery)
        self.problems.clear()
        return is_last

    def _part(self, requests: Sequence[PlannedRequest], responses: Sequence[_Response], started_at: datetime) -> Part:
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
        return Part(requests, responses, load_request)

    def take_over(self, source: Source, part: Part, load_result: LoadResult, *, are_more: bool) -> list[Delivered]:
        """Set the locked source's cursor and validators after a part was loaded; return how far its units are."""
        first, window = part.requests[0], part.requests[0].window
        delivered = []
        self.has_gap |= load_result.is_cut_off
        if not self.has_gap:
            self._move_cursor(source, load_result, window.until, are_more=are_more)
            since = self.begins_at or window.since
            delivered.append(Delivered(source, load_result.newest_of_units, since, self.started_at))
            if len(part.responses) == 1:
                note_validators(source, self.source, part.responses[0].fetched, first.url, first.body)
        return delivered

    def small_part(self, started_at: datetime) -> tuple[Part, ParsedBatch] | None:
        """Return the response that was sent in advance if it is small and has nothing unusual about it, else None.

        Whatever raises when the response is parsed, raises again when it is loaded alone.
        """
        fetched = self.outcome
        if not isinstance(fetched, FetchedBody) or fetched.size_bytes > SMALL_BYTES or fetched.is_cut_off:
            return None
        [requests] = self.planned or [()]
        if len(requests) != 1 or requests[0].missed or self.source.polls_begun > MAX_INTERRUPTED:
            return None
        part = self._part(requests, [_Response(fetched, self._unit_codes()[0])], started_at)
        try:
            batches = list(islice(self._parsed(part.responses), 2))
        except Exception:  # noqa: BLE001  see the docstring
            return None
        finally:
            self.excerpt = ""
        return (part, batches[0]) if len(batches) == 1 and len(batches[0].row_numbers) <= SMALL_ROWS else None

    def _request(self, requests: Sequence[PlannedRequest], bodies: ExitStack) -> list[_Response]:
        """Send the requests and return the responses. Failures of some are noted; if all fail, raise."""
        responses: list[_Response] = []
        units = self._in_turn(list(zip(requests, self._unit_codes(), strict=True)))
        for number, (request, unit_code) in enumerate(units):
            if request.missed:
                self.problems.append(
                    f"The source no longer provides data between {request.missed.since:%Y-%m-%d %H:%M} and"
                    f" {request.missed.until:%Y-%m-%d %H:%M} UTC. Import it from a file."
                )
            try:
                first = self._first_response(request, unit_code, bodies, is_alone=len(requests) == 1)
            except FetchFailure as failure:
                self.note_retry_after(failure.retry_after_seconds)
                if not responses and number == len(units) - 1:
                    raise
                self.problems.append(f"Unit {unit_code}: {failure.message}")
                self.has_gap = True
            except SoftTimeLimitExceeded:
                if not responses:
                    raise
                unread = ", ".join(code for _, code in units[number:])
                self.problems.append(f"The time of the poll was over before these units could be read: {unread}.")
                self.has_gap = True
                break
            else:
                responses += [first, *self._further_pages(first, request, bodies)]
                if len(responses) > 1:
                    first.fetched.keep_on_disk()
        return responses

    def _in_turn(self, units: list[tuple[PlannedRequest, str]]) -> list[tuple[PlannedRequest, str]]:
        """Return the requests, beginning with any of them after a poll that took long: units that hang take turns.

        Else those behind them would never be requested.
        """
        if self.source.last_duration_seconds + settings.SOURCE_TOTAL_SECONDS < settings.POLL_SOFT_SECONDS:
            return units
        first = random.randrange(len(units))  # noqa: S311  no secret
        return units[first:] + units[:first]

    def _first_response(
        self, request: PlannedRequest, unit_code: str, bodies: ExitStack, *, is_alone: bool
    ) -> _Response:
        conditions = conditions_of(self.source, request.url, request.body) if is_alone else {}
        return _Response(bodies.enter_context(self._fetch(request.url, request.body, conditions)), unit_code)

    def _further_pages(self, first: _Response, request: PlannedRequest, bodies: ExitStack) -> Iterator[_Response]:
        """Yield the pages after the first one. What cannot be read is noted, and keeps the cursor where it is."""
        url = request.url
        response, requested, size = first, {url}, first.fetched.size_bytes
        is_from_zero = False
        while (page := next_page(response.fetched, url, is_from_zero=is_from_zero)) is not None:
            problem, is_from_zero = page.problem, page.is_from_zero
            if page.url in requested:
                problem = "its next page is one that has been read"
            elif len(requested) >= MAX_PAGES or size > settings.SOURCE_MAX_BYTES:
                problem = f"it has more than {len(requested)} pages"
            elif self.is_out_of_time():
                problem = "too little time is left for this poll"
            if not problem:
                try:
                    response = _Response(bodies.enter_context(self._fetch(page.url, request.body)), first.unit_code)
                except FetchFailure as failure:
                    problem = failure.message
                    self.note_retry_after(failure.retry_after_seconds)
            if problem:
                self.problems.append(message_for(Reason.INCOMPLETE_PAGES, why=problem.rstrip(".")))
                self.has_gap = True
                return
            url = page.url
            requested.add(url)
            size += response.fetched.size_bytes
            response.fetched.keep_on_disk()
            yield response

    def _fetch(self, url: str, body: bytes | None = None, conditions: Mapping[str, str] | None = None) -> FetchedBody:
        outcome, self.outcome = self.outcome, None
        try:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome or request_source(self.source, url, body, conditions)
        except FetchFailure as failure:
            self.excerpt = excerpt_of(failure.body_start, self.source)
            raise

    def _parsed(self, responses: Sequence[_Response]) -> Iterator[ParsedBatch]:
        count = 0
        for response in responses:
            if response.fetched.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
                continue  # Some servers send a body all the same.
            response.fetched.body.seek(0)
            try:
                for batch in parse_body(
                    response.fetched.body,
                    self.source.mapping,
                    content_type=response.fetched.content_type,
                    received_at=response.fetched.received_at,
                    is_cut_off=response.fetched.is_cut_off,
                    default_unit=response.unit_code,
                    max_bytes=settings.SOURCE_MAX_BYTES,
                    max_rows=settings.SOURCE_MAX_ROWS,
                    is_other_customer=other_customer_test(self.source.customer),
                ):
                    count += len(batch.readings) + len(batch.rejected)
                    check_row_count(count, settings.SOURCE_MAX_ROWS)  # of all pages together
                    yield batch
            except UnreadableBody:
                response.fetched.body.seek(0)
                self.excerpt = excerpt_of(response.fetched.body.read(EXCERPT_BYTES), self.source)
                raise

    def close_outcome(self) -> None:
        """Delete the response that was sent in advance, after it was loaded."""
        outcome, self.outcome = self.outcome, None
        if isinstance(outcome, FetchedBody):
            outcome.body.close()

    def _move_cursor(self, source: Source, load_result: LoadResult, until: datetime, *, are_more: bool) -> None:
        """Move the cursor to the newest instant up to which everything is stored.

        The period was received completely. A past period is complete up to its end; the newest one only up to its
        newest reading, because later readings may not have been published yet.
        """
        reached = until if are_more else load_result.newest and min(load_result.newest, until)
        if reached and (source.cursor_at is None or reached > source.cursor_at):
            source.cursor_at = reached

    def _read_structure_if_due(self) -> None:
        """Register the customer's structure if due. A failure is noted and does not stop the poll."""
        if not self._is_structure_due():
            return
        try:
            with self._fetch(self.source.request_structure_url) as fetched:
                descriptions = parse_site_structure(fetched.body)
        except (FetchFailure, UnreadableBody) as failure:
            self.problems.append(f"The structure could not be read: {failure.message}")
            return
        with source_leases.hold(self.claim) as source:
            Register(self.source.customer, source).register(descriptions)
            if source.structure_url == self.source.structure_url:  # otherwise the next poll reads the other one
                source.structure_read_at = self.started_at
                source.save(update_fields=["structure_read_at"])

    def _is_structure_due(self) -> bool:
        read_at = self.source.structure_read_at
        return bool(self.source.structure_url) and not (read_at and read_at + STRUCTURE_EVERY > self.started_at)
