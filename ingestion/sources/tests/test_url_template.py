"""The windows and URLs that a poll requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestion.sources.url_template import (
    PlannedRequest,
    TemplateError,
    Window,
    parse_placeholders,
    plan_requests,
    render_url,
    split_into_windows,
)

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
BETWEEN = "https://feeds.example/readings?from={since}&to={until}"
LOOK_BACK = "https://feeds.example/readings?hours={hours}"

# Without those below posix/ and right/, which are refused: the latter count leap seconds.
zones = st.timezone_keys(allow_prefix=False).map(ZoneInfo)
instants = st.datetimes(min_value=datetime(2015, 1, 1), max_value=datetime(2040, 1, 1), timezones=zones)  # noqa: DTZ001
spans = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=40))
long_spans = st.timedeltas(min_value=HOUR, max_value=timedelta(days=60))


@given(st.none() | instants, instants, spans, long_spans, spans)
def test_windows_cover_everything_from_the_cursor_less_the_overlap_to_now(
    cursor: datetime | None, now: datetime, overlap: timedelta, max_span: timedelta, lookback: timedelta
) -> None:
    # Some pairs are decades apart; the pieces of a year are proof enough.
    if cursor is not None and now - cursor > timedelta(days=365):
        cursor = now - timedelta(days=365)

    found = split_into_windows(cursor, now, overlap, max_span, lookback)

    begin = now.astimezone(UTC) - lookback if cursor is None else min(cursor, now).astimezone(UTC) - overlap
    assert found[0].since == begin
    assert found[-1].until == now.astimezone(UTC)
    assert all(earlier.until == later.since for earlier, later in pairwise(found))
    assert all(timedelta(0) <= window.until - window.since <= max_span for window in found)


def test_windows_start_at_the_cursor_less_the_overlap() -> None:
    assert split_into_windows(NOW - HOUR, NOW, 2 * HOUR) == [Window(NOW - 3 * HOUR, NOW)]


def test_a_new_source_starts_at_its_first_lookback() -> None:
    assert split_into_windows(None, NOW, HOUR, first_lookback=24 * HOUR) == [Window(NOW - 24 * HOUR, NOW)]


def test_a_long_outage_is_split_into_windows() -> None:
    assert split_into_windows(NOW - 20 * HOUR, NOW, timedelta(0), 8 * HOUR) == [
        Window(NOW - 20 * HOUR, NOW - 12 * HOUR),
        Window(NOW - 12 * HOUR, NOW - 4 * HOUR),
        Window(NOW - 4 * HOUR, NOW),
    ]


def test_a_cursor_in_the_future_still_gives_the_overlap() -> None:
    assert split_into_windows(NOW + 3 * HOUR, NOW, HOUR) == [Window(NOW - HOUR, NOW)]


def test_windows_use_elapsed_time_across_clock_changes() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    after_the_change = datetime(2026, 10, 25, 12, 0, tzinfo=berlin)

    (window,) = split_into_windows(datetime(2026, 10, 25, 0, 0, tzinfo=berlin), after_the_change, timedelta(0))

    assert window.until - window.since == 13 * HOUR
    assert render_url("{hours}", window, after_the_change) == "13.0"


@pytest.mark.parametrize(
    ("overlap", "max_span", "lookback"),
    [(-HOUR, HOUR, HOUR), (HOUR, timedelta(0), HOUR), (HOUR, HOUR, -HOUR)],
)
def test_invalid_spans_are_rejected(overlap: timedelta, max_span: timedelta, lookback: timedelta) -> None:
    with pytest.raises(ValueError, match="span"):
        split_into_windows(NOW, NOW, overlap, max_span, lookback)


def test_naive_times_are_rejected() -> None:
    with pytest.raises(ValueError, match="aware"):
        split_into_windows(None, NOW.replace(tzinfo=None), HOUR)
    with pytest.raises(ValueError, match="aware"):
        split_into_windows(NOW.replace(tzinfo=None), NOW, HOUR)


def test_instants_are_formatted_in_utc_and_encoded() -> None:
    window = Window(datetime(2026, 11, 23, 10, 15, tzinfo=ZoneInfo("Europe/Berlin")), NOW)

    assert render_url(BETWEEN, window, NOW) == (
        "https://feeds.example/readings?from=2026-11-23T09%3A15%3A00Z&to=2026-11-23T10%3A15%3A00Z"
    )


@pytest.mark.parametrize(
    ("span", "written"),
    [
        (timedelta(0), "0.25"),
        (timedelta(minutes=15), "0.25"),
        (timedelta(minutes=15, microseconds=1), "0.26"),
        (timedelta(hours=1), "1.0"),
        (timedelta(hours=168), "168.0"),
        (timedelta(hours=123456, seconds=1), "123456.01"),
    ],
)
def test_hours_are_rounded_up_to_hundredths(span: timedelta, written: str) -> None:
    assert render_url("{hours}", Window(NOW - span, NOW), NOW) == written


@pytest.mark.parametrize(
    ("span", "written"),
    [
        (timedelta(0), "1"),
        (timedelta(hours=1), "1"),
        (timedelta(hours=1, microseconds=1), "2"),
        (timedelta(hours=167, minutes=30), "168"),
        (timedelta(hours=168), "168"),
    ],
)
def test_whole_hours_are_rounded_up(span: timedelta, written: str) -> None:
    assert render_url("https://feeds.example/?hours={hours:int}", Window(NOW - span, NOW), NOW) == (
        f"https://feeds.example/?hours={written}"
    )


@given(instants, spans)
def test_a_url_covers_every_instant_of_its_window(since: datetime, span: timedelta) -> None:
    window = Window(since.astimezone(UTC), since.astimezone(UTC) + span)

    query = parse_qs(urlsplit(render_url(BETWEEN + "&hours={hours}", window, window.until)).query)

    assert datetime.fromisoformat(query["from"][0]) <= window.since
    assert datetime.fromisoformat(query["to"][0]) >= window.until
    assert float(query["hours"][0]) * 3600 >= span.total_seconds() - 1e-6


@given(
    instants,
    spans,
    st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H", "%Y-%m-%d"]),
    st.booleans(),
)
@example(datetime(2026, 10, 25, 0, 31, tzinfo=UTC).astimezone(BERLIN), timedelta(minutes=59), "%Y-%m-%d %H:%M", True)
@example(datetime(2026, 10, 25, 0, 31, tzinfo=UTC).astimezone(BERLIN), timedelta(minutes=9), "%Y-%m-%d %H:%M", False)
@example(datetime(2026, 10, 25, 1, 5, tzinfo=UTC).astimezone(BERLIN), timedelta(minutes=9), "%Y-%m-%d %H:%M", False)
@example(datetime(2026, 3, 29, 0, 5, tzinfo=UTC).astimezone(BERLIN), timedelta(minutes=9), "%Y-%m-%d %H", False)
def test_local_times_cover_the_window_whichever_of_repeated_hours_they_are_taken_for(
    since: datetime, span: timedelta, time_format: str, has_offset: bool
) -> None:
    """A system may take 02:30 on the day when the clocks go back for either instant."""
    window = Window(since.astimezone(UTC), since.astimezone(UTC) + span)
    zone = since.tzinfo
    assert isinstance(zone, ZoneInfo)
    written = f"{time_format} %z" if has_offset else time_format

    url = render_url(f"/?from={{since_local:{written}}}&to={{until_local:{written}}}", window, window.until, zone.key)

    query = parse_qs(urlsplit(url).query)
    begins, ends = (datetime.strptime(query[name][0], written) for name in ("from", "to"))  # noqa: DTZ007
    for fold in (0, 1):
        assert (begins if has_offset else begins.replace(tzinfo=zone, fold=fold)).astimezone(UTC) <= window.since
        assert (ends if has_offset else ends.replace(tzinfo=zone, fold=fold)).astimezone(UTC) >= window.until


@pytest.mark.parametrize(
    "template",
    [
        "{x}",
        "{since.__class__}",
        "{since!r}",
        "{hours:>99999999}",
        "{0}",
        "{}",
        "{{hours}}",
        "{hours",
        "hours}",
        "{ hours}",
    ],
)
def test_invalid_placeholders_are_rejected(template: str) -> None:
    with pytest.raises(TemplateError, match="The URL contains"):
        parse_placeholders(template)
    with pytest.raises(TemplateError):
        render_url(template, Window(NOW, NOW), NOW)


@given(st.text(alphabet="{}hours.since_!r:0", max_size=30))
def test_a_template_is_either_filled_in_or_rejected(template: str) -> None:
    try:
        filled = render_url(template, Window(NOW - HOUR, NOW), NOW)
    except TemplateError:
        return
    assert "{" not in filled
    assert "}" not in filled


def test_placeholders_are_returned_by_name() -> None:
    assert parse_placeholders(BETWEEN) == {"since", "until"}
    assert parse_placeholders("https://feeds.example/data.csv") == frozenset()


def test_a_url_with_both_instants_is_requested_once_per_window() -> None:
    requests = plan_requests(BETWEEN, NOW - 300 * HOUR, NOW, timedelta(0))

    assert [request.window for request in requests] == split_into_windows(NOW - 300 * HOUR, NOW, timedelta(0))
    assert [request.url for request in requests] == [render_url(BETWEEN, request.window, NOW) for request in requests]
    assert [request.missed for request in requests] == [None, None]


@pytest.mark.parametrize("template", [LOOK_BACK, "https://feeds.example/readings?after={since}"])
def test_a_url_with_a_lookback_requests_the_newest_span_and_reports_missed_time(template: str) -> None:
    (request,) = plan_requests(template, NOW - 200 * HOUR, NOW, timedelta(0))

    newest = Window(NOW - 168 * HOUR, NOW)
    assert request == PlannedRequest(
        render_url(template, newest, NOW), newest, missed=Window(NOW - 200 * HOUR, NOW - 168 * HOUR)
    )


def test_a_url_with_a_lookback_misses_nothing_within_the_maximum_span() -> None:
    (request,) = plan_requests(LOOK_BACK, NOW - 166 * HOUR, NOW, 2 * HOUR)

    assert request.url == "https://feeds.example/readings?hours=168.0"
    assert request.missed is None


def test_a_url_without_placeholders_is_requested_once() -> None:
    (request,) = plan_requests("https://feeds.example/data.csv", NOW - 400 * HOUR, NOW, HOUR)

    assert request == PlannedRequest("https://feeds.example/data.csv", Window(NOW - 401 * HOUR, NOW), missed=None)
