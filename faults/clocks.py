"""Clocks that are wrong, by libfaketime, and a local time that jumps, by a time zone with rules of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

# Debian's package libfaketime, for whatever processor. The variant for programs with several threads.
LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")

# libfaketime looks at the file once a second.
SHARED_WITHIN_SECONDS = 2.0


@cache
def library() -> str:
    """Return the path of libfaketime, empty if it is not installed."""
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))]
    return str(found[0]) if found else ""


def faked(offset: timedelta) -> dict[str, str]:
    """Return the environment of a process whose clock is wrong by `offset`; timers count real seconds.

    Raises RuntimeError if libfaketime is not installed.
    """
    return _preloaded() | {"FAKETIME": _written(offset)} if offset else {}


def shared(file: Path) -> dict[str, str]:
    """Return the environment of processes with one clock, which `set_shared` sets while they are running.

    Raises RuntimeError if libfaketime is not installed.
    """
    return _preloaded() | {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1"}


def set_shared(file: Path, offset: timedelta) -> None:
    """Let the clocks that share this file be wrong by `offset`, within SHARED_WITHIN_SECONDS."""
    new = file.with_suffix(".new")
    new.write_text(f"{_written(offset)}\n")
    new.replace(file)


def _preloaded() -> dict[str, str]:
    if not library():
        raise RuntimeError("libfaketime is not installed. Install Debian's `faketime`.")
    return {
        "LD_PRELOAD": library(),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(Path(__file__).parent / "faketime"),
    }


def _written(offset: timedelta) -> str:
    return f"{offset.total_seconds():+.0f}"


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
