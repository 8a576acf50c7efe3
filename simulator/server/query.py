"""The parameters of a request, with a clear error for invalid ones."""

from collections.abc import Mapping
from math import isfinite

from simulator.base.instants import HOUR, microseconds_of, parse_moment
from simulator.model.simulation import SimulatedCustomer, Window

LONGEST_HOURS = 10 * 366 * 24.0
LARGEST_LIMIT = 10_000
DEFAULT_LIMIT = 1_000


class QueryError(ValueError):
    """Invalid query parameters; the message says why."""


def window_of(query: Mapping[str, str], served: SimulatedCustomer, default_hours: float) -> Window:
    """Return the window from `since` to `until` (ISO 8601), or of the last `hours` before until. Raise QueryError."""
    until_us = instant_in(query, "until")
    start_us = instant_in(query, "since")
    if start_us is None:
        end_us = served.now_us if until_us is None else until_us
        start_us = end_us - round(_hours(query, default_hours) * HOUR)
    refuse_too_early(start_us, served.now_us, "since")
    if until_us is not None and until_us < start_us:
        raise QueryError("until is before since")
    return served.window(start_us, until_us)


def instant_in(query: Mapping[str, str], name: str) -> int | None:
    """Return an instant in microseconds, None if the query has none. Raise QueryError."""
    if name not in query:
        return None
    try:
        return microseconds_of(parse_moment(query[name]))
    except ValueError as error:
        raise QueryError(f"{name} must be an ISO 8601 instant, not {query[name]!r}") from error


def refuse_too_early(start_us: int, now_us: int, name: str) -> None:
    """Raise QueryError for a start that is LONGEST_HOURS before now or more: all rows since then would be made."""
    if start_us < now_us - LONGEST_HOURS * HOUR:
        raise QueryError(f"{name} must be at most {LONGEST_HOURS:.0f} hours before now")


def limit_of(query: Mapping[str, str]) -> int:
    """Return `limit`, from 1 to LARGEST_LIMIT. Raise QueryError."""
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LARGEST_LIMIT:
        raise QueryError(f"limit must be a whole number from 1 to {LARGEST_LIMIT}, not {text!r}")
    return int(text)


def page_of(query: Mapping[str, str]) -> int:
    """Return the number of a page, from 1. Raise QueryError."""
    text = query.get("page", "1")
    if not text.isascii() or not text.isdigit() or not int(text[:9]) >= 1:
        raise QueryError(f"page must be a whole number from 1, not {text!r}")
    return int(text[:9])


def _hours(query: Mapping[str, str], default_hours: float) -> float:
    text = query.get("hours", "")
    try:
        hours = float(text) if "hours" in query else default_hours
    except ValueError as error:
        raise QueryError(f"hours must be a number, not {text!r}") from error
    if not isfinite(hours) or not 0 < hours <= LONGEST_HOURS:
        raise QueryError(f"hours must be above 0 and at most {LONGEST_HOURS:.0f}, not {text!r}")
    return hours
