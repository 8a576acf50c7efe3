"""Plan the requests of a poll so that nothing is missed after an outage; the caller stores the cursor.

Everything up to the cursor is stored. A poll requests the time from the cursor, less an overlap for readings that are
published late, up to now. A source's URL contains `{since}` and `{until}` (instants) or `{hours}` (the look-back from
now; `{hours:int}` in whole hours, for systems that take no fractions).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

PLACEHOLDERS = frozenset({"hours", "hours:int", "since", "until"})
MAX_SPAN = timedelta(hours=168)
_BOUNDED_BY = frozenset({"since", "until"})
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HUNDREDTH_OF_AN_HOUR = timedelta(seconds=36)
# A shorter look-back saves nothing and misses readings that are published late.
_MIN_HUNDREDTHS = 25


class TemplateError(ValueError):
    """A source's URL contains an invalid placeholder; the message is for the person who entered it."""


@dataclass(frozen=True)
class Window:
    """A requested span of time; both ends are aware, and `since` is not after `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class PlannedRequest:
    """One request of a poll.

    `window` is the requested span; the cursor may move to its end once the rows are stored. `missed` is the span before
    it that can no longer be requested, to be reported in the delivery; usually None.
    """

    url: str
    window: Window
    missed: Window | None = None


def parse_placeholders(template: str) -> frozenset[str]:
    """Return the placeholders in a source's URL. Raise TemplateError for an unknown name or an unmatched brace."""
    names = frozenset(_PLACEHOLDER.findall(template))
    unknown = sorted(names - PLACEHOLDERS)
    if unknown:
        raise TemplateError(
            f"The URL contains {{{unknown[0]}}}. Only {{hours}}, {{hours:int}}, {{since}} and {{until}} are supported."
        )
    if re.search(r"[{}]", _PLACEHOLDER.sub("", template)):
        raise TemplateError("The URL contains an unmatched brace.")
    return names


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
    now = _in_utc(now)
    since = now - first_lookback if cursor is None else min(_in_utc(cursor), now) - overlap
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
) -> list[PlannedRequest]:
    """Return the requests of a poll, oldest first.

    A URL with both `{since}` and `{until}` is requested once for each window. With `{hours}`, or only one of the two
    instants, only the newest `max_span` can be requested: after a longer outage the older time is `missed`. A URL
    without placeholders is requested once; how far back the response reaches is unknown, so nothing counts as missed.
    Raise TemplateError, and ValueError as `split_into_windows` does.
    """
    names = parse_placeholders(template)
    windows = split_into_windows(cursor, now, overlap, max_span, first_lookback)
    if names >= _BOUNDED_BY:
        return [PlannedRequest(render_url(template, window, now), window) for window in windows]
    whole = Window(windows[0].since, windows[-1].until)
    newest = Window(max(whole.since, whole.until - max_span), whole.until) if names else whole
    missed = Window(whole.since, newest.since) if newest.since > whole.since else None
    return [PlannedRequest(render_url(template, newest, now), newest, missed)]


def render_url(template: str, window: Window, now: datetime) -> str:
    """Return the URL with its placeholders filled in, rounded outwards so that nothing is missed.

    `{since}` and `{until}` become ISO 8601 in UTC, whole seconds, percent-encoded: `2026-11-23T10%3A15%3A00Z`.
    `{hours}` becomes the hours from the start of the window to `now`, in hundredths, at least 0.25: `168.0`, and
    `{hours:int}` the whole hours, at least 1: `168`. Raise TemplateError for any other brace: the template is never
    evaluated.
    """
    parse_placeholders(template)
    lookback = _in_utc(now) - _in_utc(window.since)
    values = {
        "hours": str(_hundredths_of_hours(lookback) / 100),
        "hours:int": str(max(-(-lookback // timedelta(hours=1)), 1)),
        "since": _format_instant(window.since),
        "until": _format_instant(window.until + timedelta(microseconds=999_999)),
    }
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)], template)


def _in_utc(instant: datetime) -> datetime:
    # Arithmetic within a local zone would use wall time, not elapsed time.
    if instant.tzinfo is None:
        raise ValueError("The instant must be aware.")
    return instant.astimezone(UTC)


def _hundredths_of_hours(span: timedelta) -> int:
    rounded_up = -(-span // _HUNDREDTH_OF_AN_HOUR)
    return max(rounded_up, _MIN_HUNDREDTHS)


def _format_instant(instant: datetime) -> str:
    in_seconds = _in_utc(instant).replace(microsecond=0, tzinfo=None)
    return quote(f"{in_seconds.isoformat()}Z", safe="")
