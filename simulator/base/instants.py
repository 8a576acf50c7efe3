"""Instants as whole microseconds since 1970 in UTC, the simulator's unit of time."""

from datetime import UTC, datetime, timedelta

import numpy as np

from simulator.base.seeded_random import Integers

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
# Of a number in a setting, either way: more seconds lead out of the calendar sooner or later.
LARGEST_NUMBER = 1e9

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds_of(moment: datetime) -> int:
    """Return the instant of an aware datetime. Raise ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(instant_us: int) -> datetime:
    """Return the aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=int(instant_us))


def parse_moment(text: str) -> datetime:
    """Parse an ISO 8601 time as an aware UTC datetime; without an offset it is UTC. Raise ValueError.

    A `+` that a query string turned into a blank is accepted as a `+`.
    """
    stripped = text.strip()
    if len(stripped) > 6 and stripped[-6] == " " and stripped[-3] == ":" and ":" in stripped[:-6]:
        stripped = f"{stripped[:-6]}+{stripped[-5:]}"
    moment = datetime.fromisoformat(stripped)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the calendar") from error


def naive_texts(instants_us: Integers, *, whole_seconds: bool = False) -> list[str]:
    """Format timestamps as naive UTC: `T` and microseconds, or a space and whole seconds."""
    moments = instants_us.astype("datetime64[us]")
    if not whole_seconds:
        texts: list[str] = np.datetime_as_string(moments, unit="us").tolist()
        return texts
    return [text.replace("T", " ") for text in np.datetime_as_string(moments, unit="s").tolist()]


def naive_text(moment: datetime) -> str:
    """Format the timestamp of an envelope as naive UTC with microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
