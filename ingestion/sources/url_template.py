"""Plan the requests of a poll so that nothing is missed after an outage; the caller stores the cursor.

Everything up to the cursor is stored. A poll requests the time from the cursor, less an overlap for readings that are
published late, up to now. A source's URL, or the body of its request, contains `{since}` and `{until}` (instants) or
`{hours}` (the look-back from now); `ingestion.sources.placeholders` describes how they are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ingestion.sources.placeholders import (
    TemplateError,
    Window,
    body_placeholders,
    in_utc,
    parse_placeholders,
    render_body,
    render_url,
)

__all__ = [
    "BodyTemplate",
    "PlannedRequest",
    "TemplateError",
    "Window",
    "parse_placeholders",
    "plan_requests",
    "render_url",
    "split_into_windows",
]

MAX_SPAN = timedelta(hours=168)
_BOUNDED_BY = frozenset({"since", "until"})


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """The body of a POST request; `{unit}` in it becomes `unit_code`."""

    text: str
    content_type: str = "application/json"
    unit_code: str = ""


@dataclass(frozen=True)
class PlannedRequest:
    """One request of a poll.

    `window` is the requested span; the cursor may move to its end once the rows are stored. `missed` is the span before
    it that can no longer be requested, to be reported in the delivery; usually None.
    """

    url: str
    window: Window
    missed: Window | None = None
    body: bytes | None = None


def split_into_windows(
    cursor: datetime | None,
    now: datetime,
    overlap: timedelta,
    max_span: timedelta = MAX_SPAN,
    first_lookback: timedelta = timedelta(hours=24),
) -> list[Window]:
    """Return adjacent windows of at most `max_span`, oldest first.

    Together they reach from the cursor less `overlap` (without a cursor: from `first_lookback` ago) to `now`. There is
    at least one. A cursor after `now`, caused by readings from a fast clock, counts as `now`. After a long outage there
    are many; the caller may leave some to the next poll. Raise ValueError for a naive time, a negative overlap or
    look-back, or a `max_span` that is not positive.
    """
    if max_span <= timedelta(0) or min(overlap, first_lookback) < timedelta(0):
        raise ValueError("The maximum span must be positive, the overlap and the first look-back not negative.")
    now = in_utc(now)
    since = now - first_lookback if cursor is None else min(in_utc(cursor), now) - overlap
    windows = []
    while now - since > max_span:
        windows.append(Window(since, since + max_span))
        since += max_span
    return [*windows, Window(since, now)]


def plan_requests(
    template: str,
    cursor: datetime | None,
    now: datetime,
    overlap: timedelta,
    max_span: timedelta = MAX_SPAN,
    first_lookback: timedelta = timedelta(hours=24),
    *,
    zone: str = "UTC",
    body: BodyTemplate | None = None,
) -> list[PlannedRequest]:
    """Return the requests of a poll, oldest first; `zone` is that of local times in the URL and the body.

    A URL with both `{since}` and `{until}` is requested once for each window. With `{hours}`, or only one of the two
    instants, only the newest `max_span` can be requested: after a longer outage the older time is `missed`. A URL
    without placeholders is requested once; how far back the response reaches is unknown, so nothing counts as missed.
    Placeholders in the body count like those in the URL. Raise TemplateError, and ValueError as `split_into_windows`
    does.
    """
    names = parse_placeholders(template) | (body_placeholders(body.text) if body else frozenset())
    windows = split_into_windows(cursor, now, overlap, max_span, first_lookback)

    def planned(window: Window, missed: Window | None = None) -> PlannedRequest:
        rendered = None
        if body:
            rendered = render_body(body.text, window, now, zone, body.unit_code, body.content_type)
        return PlannedRequest(render_url(template, window, now, zone), window, missed, rendered)

    if names >= _BOUNDED_BY:
        return [planned(window) for window in windows]
    whole = Window(windows[0].since, windows[-1].until)
    newest = Window(max(whole.since, whole.until - max_span), whole.until) if names else whole
    missed = Window(whole.since, newest.since) if newest.since > whole.since else None
    return [planned(newest, missed)]
