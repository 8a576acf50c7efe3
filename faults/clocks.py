"""Clocks that are wrong, by libfaketime, and a local time that jumps, by a time zone with rules of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

# Debian's package libfaketime, for whatever processor. The variant for programs with several threads.
LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


@cache
def library() -> str:
    """Return the path of libfaketime, empty if it is not installed."""
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))]
    return str(found[0]) if found else ""


def faked(offset: timedelta) -> dict[str, str]:
    """Return the environment of a process whose clock is wrong by `offset`; timers count real seconds.

    Raises RuntimeError if libfaketime is not installed.
    """
    if not offset:
        return {}
    if not library():
        raise RuntimeError("libfaketime is not installed. Install Debian's `faketime`.")
    seconds = f"{offset.total_seconds():+.0f}"
    return {
        "LD_PRELOAD": library(),
        "FAKETIME": seconds,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(Path(__file__).parent / "faketime"),
    }


def jumping_zone(at: datetime, *, is_forward: bool) -> str:
    """Return a value of TZ by which local time jumps by an hour at the instant `at`, and back half a year away."""
    offset_hours = 0 if is_forward else 1
    local = at.astimezone(UTC) + timedelta(hours=offset_hours)
    change = _rule(local)
    other = _rule(local - timedelta(days=150) if local.timetuple().tm_yday > 180 else local + timedelta(days=150))
    begins, ends = (change, other) if is_forward else (other, change)
    return f"STD0DST-1,{begins},{ends}"


def _rule(local: datetime) -> str:
    """Return a day of the year, counted from 0 with a leap day, and a time as TZ names them."""
    return f"{local.timetuple().tm_yday - 1}/{local:%H:%M:%S}"
