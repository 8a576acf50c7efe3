"""What a poll asks for, so that nothing is missed after an outage. Pure arithmetic; the caller keeps the cursor.

The cursor is the newest instant up to which everything is stored. A poll asks from the cursor, less an overlap for
readings that a customer's system publishes late, up to now. A source's URL says how with `{since}`, `{until}`
(instants) or `{hours}` (the look-back from now).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

PLACEHOLDERS = frozenset({"hours", "since", "until"})
MAX_SPAN = timedelta(hours=168)
_IN_PIECES = frozenset({"since", "until"})
_BRACED = re.compile(r"\{([^{}]*)\}")
_HUNDREDTH_OF_AN_HOUR = timedelta(seconds=36)
# A look-back shorter than this saves nothing and misses what a slow system publishes late.
_LEAST_HUNDREDTHS = 25


class TemplateError(ValueError):
    """A source's URL holds braces that mean nothing; the text is a sentence for whoever typed it."""


@dataclass(frozen=True)
class Window:
    """A span of time to ask for; both ends are aware, and `since` is not after `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class PlannedRequest:
    """One request of a poll.

    `url` is filled in; `window` is the span it asks for, to whose end the cursor may move once its rows are stored;
    `lost` is the span before it that the source can no longer be asked for, for the delivery to tell, None as a rule.
    """

    url: str
    window: Window
    lost: Window | None = None


def placeholders(template: str) -> frozenset[str]:
    """Return the names in braces in a source's URL. Raise TemplateError for an unknown name or a stray brace."""
    names = frozenset(_BRACED.findall(template))
    unknown = sorted(names - PLACEHOLDERS)
    if unknown:
        raise TemplateError(
            f"The URL holds {{{unknown[0]}}}; only {{hours}}, {{since}} and {{until}} can be filled in."
        )
    if re.search(r"[{}]", _BRACED.sub("", template)):
        raise TemplateError("The URL holds a brace without its partner.")
    return names


def windows(
    cursor: datetime | None,
    now: datetime,
    overlap: timedelta,
    max_span: timedelta = MAX_SPAN,
    first_lookback: timedelta = timedelta(hours=24),
) -> list[Window]:
    """Return the spans to ask for: oldest first, each beginning where the last ended, none longer than `max_span`.

    Together they reach from the cursor less `overlap` (without a cursor: from `first_lookback` ago) to `now`. There is
    always one at least; a cursor ahead of `now`, from readings with a fast clock, counts as `now`. A long outage makes
    many; the caller may ask for some of them now and leave the rest to the next poll. Raise ValueError for a naive
    time, a negative overlap or look-back, or a `max_span` that is not positive.
    """
    if max_span <= timedelta(0) or min(overlap, first_lookback) < timedelta(0):
        raise ValueError("The longest span must be positive, the overlap and the first look-back not negative.")
    now = _in_utc(now)
    since = now - first_lookback if cursor is None else min(_in_utc(cursor), now) - overlap
    pieces = []
    while now - since > max_span:
        pieces.append(Window(since, since + max_span))
        since += max_span
    return [*pieces, Window(since, now)]


def planned_requests(
    template: str,
    cursor: datetime | None,
    now: datetime,
    overlap: timedelta,
    max_span: timedelta = MAX_SPAN,
    first_lookback: timedelta = timedelta(hours=24),
) -> list[PlannedRequest]:
    """Return the requests of a poll, oldest first.

    A URL with both `{since}` and `{until}` is asked in the pieces of `windows`. One with `{hours}`, or with only one
    of the two instants, can ask for nothing but the newest span, in one request of `max_span` at most: after a longer
    outage what is older can no longer be had from it, and is the request's `lost`. A URL without placeholders is
    asked once, as it is; how far back its answer reaches nobody here knows, so nothing counts as lost. Raise
    TemplateError, and ValueError as `windows` does.
    """
    names = placeholders(template)
    pieces = windows(cursor, now, overlap, max_span, first_lookback)
    if names >= _IN_PIECES:
        return [PlannedRequest(fill_url(template, piece, now), piece) for piece in pieces]
    whole = Window(pieces[0].since, pieces[-1].until)
    newest = Window(max(whole.since, whole.until - max_span), whole.until) if names else whole
    lost = Window(whole.since, newest.since) if newest.since > whole.since else None
    return [PlannedRequest(fill_url(template, newest, now), newest, lost)]


def fill_url(template: str, window: Window, now: datetime) -> str:
    """Return the URL with its placeholders filled in, each rounded outwards so that nothing falls out.

    `{since}` and `{until}` become ISO 8601 in UTC, whole seconds, percent-encoded: `2026-11-23T10%3A15%3A00Z`.
    `{hours}` becomes the hours from the window's beginning to `now`, in hundredths, 0.25 at least: `168.0`. Raise
    TemplateError for any other brace: nothing of the template is ever evaluated.
    """
    placeholders(template)
    values = {
        "hours": str(_hundredths_of_hours(_in_utc(now) - _in_utc(window.since)) / 100),
        "since": _written(window.since),
        "until": _written(window.until + timedelta(microseconds=999_999)),
    }
    return _BRACED.sub(lambda match: values[match.group(1)], template)


def _in_utc(instant: datetime) -> datetime:
    # Sums and differences within one local zone would count the clock's hours, not those that passed.
    if instant.tzinfo is None:
        raise ValueError("The instant must be aware.")
    return instant.astimezone(UTC)


def _hundredths_of_hours(span: timedelta) -> int:
    rounded_up = -(-span // _HUNDREDTH_OF_AN_HOUR)
    return max(rounded_up, _LEAST_HUNDREDTHS)


def _written(instant: datetime) -> str:
    whole_seconds = _in_utc(instant).replace(microsecond=0, tzinfo=None)
    return quote(f"{whole_seconds.isoformat()}Z", safe="")
