"""Try a source: send its request and parse the response without storing anything."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import cast
from urllib.parse import quote

from django.conf import settings
from django.utils import timezone

from core.crypto.encryption import SecretUnreadable
from ingestion.loading.registration import other_customer_test
from ingestion.models import Source
from ingestion.models.delivery import reason_label
from ingestion.parsing.parse import parse_body
from ingestion.parsing.results import ParsedBatch, RejectedReading, UnreadableBody
from ingestion.polling.fetch import EXCERPT_BYTES, FetchedBody, FetchFailure
from ingestion.polling.request import SourceMisconfigured, excerpt_of, request_source
from ingestion.sources.credentials import redact_url
from ingestion.sources.mapping import MappingError
from ingestion.sources.url_template import TemplateError, plan_requests

MAX_EXAMPLES = 20
MAX_UNITS = 100


@dataclass(slots=True)
class TrialResult:
    """What a source's request brought; nothing of it was stored."""

    url: str = ""
    reading_count: int = 0
    rejected_count: int = 0
    rejected: list[RejectedReading] = field(default_factory=list)
    unit_codes: list[str] = field(default_factory=list)
    newest_reading_at: datetime | None = None
    size_bytes: int = 0
    duration_seconds: float = 0
    error_reason: str = ""
    error_message: str = ""
    response_excerpt: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the response could be read and no row was rejected."""
        return not self.error_reason and not self.rejected_count

    @property
    def error_label(self) -> str:
        """The label of `error_reason`."""
        return reason_label(self.error_reason) if self.error_reason else ""

    def add(self, batch: ParsedBatch) -> None:
        """Count the rows of a batch."""
        readings = batch.readings
        self.reading_count += len(readings)
        self.rejected_count += len(batch.rejected)
        self.rejected += islice(batch.rejected, MAX_EXAMPLES - len(self.rejected))
        known = set(self.unit_codes)
        self.unit_codes += sorted(set(readings["unit_code"].unique().to_list()) - known)[: MAX_UNITS - len(known)]
        newest = cast("datetime | None", readings["recorded_at"].max())
        if newest and (self.newest_reading_at is None or newest > self.newest_reading_at):
            self.newest_reading_at = newest


def try_source(source: Source) -> TrialResult:
    """Send the request of the source's first poll, for its first unit if there are several, and parse the response."""
    started = time.monotonic()
    result = TrialResult(url=redact_url(source.url))
    try:
        with request_source(source, _url(source)) as fetched:
            result.url, result.size_bytes = fetched.url, fetched.size_bytes
            _parse(source, fetched, result)
    except FetchFailure as failure:
        result.error_reason, result.error_message = failure.reason, failure.message
        result.response_excerpt = excerpt_of(failure.body_start, source)
    except (SourceMisconfigured, MappingError, TemplateError, SecretUnreadable) as error:
        result.error_reason, result.error_message = "source_settings", str(error)
    result.duration_seconds = round(time.monotonic() - started, 3)
    return result


def _url(source: Source) -> str:
    if not source.url:
        raise SourceMisconfigured("The source has no URL: it receives pushes and imports.")
    unit_code = next(iter(source.unit_codes), "")
    if "{unit}" in source.url and not unit_code:
        raise SourceMisconfigured("The URL contains {unit}. Enter the source's unit codes.")
    span = timedelta(hours=min(max(source.first_hours, 1), source.max_hours))
    template = source.url.replace("{unit}", quote(unit_code, safe=""))
    return plan_requests(template, None, timezone.now(), timedelta(0), span, span)[-1].url


def _parse(source: Source, fetched: FetchedBody, result: TrialResult) -> None:
    if fetched.status == HTTPStatus.NO_CONTENT:
        return
    try:
        for batch in parse_body(
            fetched.body,
            source.mapping,
            content_type=fetched.content_type,
            received_at=fetched.received_at,
            is_cut_off=fetched.is_cut_off,
            default_unit=next(iter(source.unit_codes), "") or source.default_unit_code,
            max_bytes=settings.SOURCE_MAX_BYTES,
            max_rows=settings.SOURCE_MAX_ROWS,
            is_other_customer=other_customer_test(source.customer),
        ):
            result.add(batch)
    except UnreadableBody as error:
        result.error_reason, result.error_message = error.reason.value, error.message
        fetched.body.seek(0)
        result.response_excerpt = excerpt_of(fetched.body.read(EXCERPT_BYTES), source)
