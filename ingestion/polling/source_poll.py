"""What the polls of all kinds of sources share: their life under a claim, their failures and the next due time.

A kind of source implements `fetch_new`: fetch what is new since the source's cursor, and load it. Requests are sent
outside transactions. What is stored together is stored in one transaction, which also moves the cursor, logs the
delivery and, at the end of the poll, releases the claim. If the claim has been lost by then, nothing is stored.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error

from core.backoff import FIRST_RETRY_SECONDS, backoff_seconds
from core.crypto.encryption import SecretUnreadable
from core.db import clock
from core.db.conflicts import cause_of
from core.leases import MAX_INTERRUPTED, Claim, ClaimLost
from ingestion.loading.load import LoadRequest, log_failure
from ingestion.models import Delivery, IngestionType, Source
from ingestion.parsing.results import UnreadableBody
from ingestion.polling.claims import next_due, source_leases
from ingestion.polling.conditional import VALIDATOR_FIELDS
from ingestion.polling.fetch import FetchFailure
from ingestion.polling.request import SourceMisconfigured, redacted_url
from ingestion.sources import SettingError
from ingestion.sources.url_template import TemplateError


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
            case SourceMisconfigured() | SettingError() | TemplateError() | SecretUnreadable():
                return cls("source_settings", str(error))
            case Error() if cause := cause_of(error):
                return cls("internal_error", cause)
            case _:
                return cls("internal_error", f"{type(error).__name__} in this system. See the log for details.")


_INTERRUPTED = Failure(
    "interrupted",
    f"The last {MAX_INTERRUPTED} polls ended their worker, by its memory or its time, so this source is not"
    " polled any more. Set a shorter period per request, then choose “Poll now”.",
)


@dataclass(slots=True)
class SourcePoll(ABC):
    """A poll of a claimed source. `problems` are told with the next delivery."""

    claim: Claim
    source: Source
    started_at: datetime = field(default_factory=lambda: clock.database_now())
    problems: list[str] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    # The beginning of the response that failed, without secrets.
    excerpt: str = ""
    # How long a server asked to wait that refused a part of this poll only.
    retry_after_seconds: int | None = None
    # Part of this or an earlier period is missing: the cursor must not pass it.
    has_gap: bool = False
    # When this poll made its source due; it may have been rolled back.
    own_due_times: set[datetime] = field(default_factory=set)

    @abstractmethod
    def fetch_new(self) -> None:
        """Fetch what is new since the source's cursor, load it and release the claim."""

    def run(self) -> list[Delivery]:
        """Poll, and return the deliveries. A failure is logged as one and backs the source off."""
        if self.source.polls_begun > MAX_INTERRUPTED:
            self._fail(_INTERRUPTED)
            return self.deliveries
        try:
            self.fetch_new()
        except ClaimLost:
            raise
        except Exception as error:
            failure = Failure.of(error)
            self._fail(failure)
            if failure.reason == "internal_error":
                raise
        return self.deliveries

    def is_out_of_time(self) -> bool:
        """Return whether too little time is left for another request before the soft limit."""
        spent = (clock.database_now() - self.started_at).total_seconds()
        return bool(spent + settings.SOURCE_TOTAL_SECONDS >= settings.POLL_SOFT_SECONDS)

    def succeed(self, source: Source, *, are_more: bool, is_last: bool) -> None:
        """Note success with the locked source; the last call of a poll releases its claim."""
        self.set_success(source, are_more=are_more, is_last=is_last)
        source.save(update_fields=STATE_FIELDS)

    def set_success(self, source: Source, *, are_more: bool, is_last: bool) -> None:
        """Set what `succeed` saves."""
        now = clock.database_now()
        source.failures_in_a_row = 0
        source.last_error = ""
        source.last_success_at = now
        is_due_at_once = are_more and not self.has_gap
        due_at = now if is_due_at_once else next_due(source.pk, source.interval_seconds, now)
        if self.retry_after_seconds is not None:
            due_at = max(due_at, now + self._wait(1, first_seconds=0))
        self._set_due(source, due_at)
        self._set_state(source, now, is_over=is_last)

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
            self.note_retry_after(failure.retry_after_seconds)
            # After a temporary failure, a source with a long interval must not wait for its next slot.
            first_seconds = min(source.interval_seconds, FIRST_RETRY_SECONDS)
            self._set_due(source, now + self._wait(source.failures_in_a_row, first_seconds=first_seconds))
            self._set_state(source, now, is_over=True)
            source.save(update_fields=STATE_FIELDS)

    def _set_due(self, source: Source, due_at: datetime) -> None:
        """Set when the locked source is due next, unless it was made due meanwhile, as by a change of its settings."""
        if source.next_due_at in (self.source.next_due_at, *self.own_due_times):
            source.next_due_at = due_at
            self.own_due_times.add(due_at)

    def note_retry_after(self, seconds: int | None) -> None:
        """Note how long a server asked to wait; the longest wait counts."""
        if seconds is not None:
            self.retry_after_seconds = max(seconds, self.retry_after_seconds or 0)

    def _wait(self, failures: int, *, first_seconds: float) -> timedelta:
        wait_seconds = backoff_seconds(
            failures,
            random=random.SystemRandom(),
            first_seconds=first_seconds,
            retry_after_seconds=self.retry_after_seconds,
        )
        return timedelta(seconds=wait_seconds)

    def _set_state(self, source: Source, now: datetime, *, is_over: bool) -> None:
        source.last_polled_at = now
        source.last_duration_seconds = (now - self.started_at).total_seconds()
        if is_over:
            source.claim_id = None
            source.lease_until = None
            if source.polls_begun <= MAX_INTERRUPTED:
                source.polls_begun = 0


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
    "polls_begun",
    *VALIDATOR_FIELDS,
]
