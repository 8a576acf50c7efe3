"""Try a source: send its request and preview the response without storing anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import quote

from django.utils import timezone

from core.crypto.encryption import SecretUnreadable
from core.crypto.redaction import redact_url
from ingestion.models import Source
from ingestion.polling.fetch import EXCERPT_BYTES, FetchedBody, FetchFailure
from ingestion.polling.files.file_poll import newest_file
from ingestion.polling.request import SourceMisconfigured, body_template, excerpt_of, request_source
from ingestion.previews.preview import PreviewRequest, preview
from ingestion.previews.results import Preview
from ingestion.sources import SettingError
from ingestion.sources.file_places import FILE_TYPES
from ingestion.sources.url_template import PlannedRequest, TemplateError, plan_requests


@dataclass(slots=True)
class TrialResult:
    """What a source's request brought, as a preview; nothing of it was stored."""

    url: str = ""
    preview: Preview = field(default_factory=Preview)
    size_bytes: int = 0
    duration_seconds: float = 0
    response_excerpt: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the response could be read and no row would be rejected."""
        return self.preview.is_readable and not self.preview.rejected_count

    def fail(self, reason: str, message: str) -> None:
        """Note why there is no preview."""
        self.preview = Preview(error_reason=reason, error_message=message)


def try_source(source: Source, *, keep: Callable[[FetchedBody], object] = lambda _: None) -> TrialResult:
    """Send the request of the source's first poll, for its first unit if there are several, and preview the response.

    `keep` may read the response before; it leaves it at its start.
    """
    started = time.monotonic()
    result = TrialResult(url=redact_url(source.url))
    try:
        with _opened(source) as fetched:
            result.url, result.size_bytes = fetched.url, fetched.size_bytes
            keep(fetched)
            _preview(source, fetched, result)
    except FetchFailure as failure:
        result.fail(failure.reason, failure.message)
        result.response_excerpt = excerpt_of(failure.body_start, source)
    except (SourceMisconfigured, SettingError, TemplateError, SecretUnreadable) as error:
        result.fail("source_settings", str(error))
    result.duration_seconds = round(time.monotonic() - started, 3)
    return result


def _opened(source: Source) -> AbstractContextManager[FetchedBody]:
    """Return the response to the first request, or the newest file."""
    if source.ingestion_type in FILE_TYPES:
        return newest_file(source)
    planned = _planned(source)
    return request_source(source, planned.url, planned.body)


def _planned(source: Source) -> PlannedRequest:
    if not source.url:
        raise SourceMisconfigured("The source has no URL: it receives pushes and imports.")
    unit_code = next(iter(source.unit_codes), "")
    if source.is_requested_by_unit and not unit_code:
        raise SourceMisconfigured("The URL contains {unit}. Enter the source's unit codes.")
    span = timedelta(hours=min(max(source.first_hours, 1), source.max_hours))
    template = source.request_url.replace("{unit}", quote(unit_code, safe=""))
    body, zone = body_template(source, unit_code), source.mapping.time_zone
    return plan_requests(template, None, timezone.now(), timedelta(0), span, span, zone=zone, body=body)[-1]


def _preview(source: Source, fetched: FetchedBody, result: TrialResult) -> None:
    if fetched.status == HTTPStatus.NO_CONTENT:
        return
    request = PreviewRequest(
        customer=source.customer,
        source=source,
        mapping=source.mapping,
        content_type=fetched.content_type,
        file_name=fetched.url if source.ingestion_type in FILE_TYPES else "",
        received_at=fetched.received_at,
        is_cut_off=fetched.is_cut_off,
        is_poll=True,
        default_unit_code=next(iter(source.unit_codes), "") or source.default_unit_code,
    )
    result.preview = preview(fetched.body, request)
    if not result.preview.is_readable:
        fetched.body.seek(0)
        result.response_excerpt = excerpt_of(fetched.body.read(EXCERPT_BYTES), source)
