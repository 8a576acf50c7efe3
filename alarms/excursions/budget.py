"""Cumulative time outside: for how long in all the temperature may be outside within a window of time. Pure.

At any instant the time that it was known to be outside within the window before is a function that rises by a second a
second while it is outside, and falls by as much as leaves the window. A violation lasts from where it reaches what is
allowed to where it falls below.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

Pieces = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Violation:
    """From when to when (None: it lasts) too much was used up; all in microseconds, `most_us` the most that was."""

    started_us: int
    ended_us: int | None
    most_us: int


def violations(pieces: Pieces, *, allowed_us: int, window_us: int, since_us: int, until_us: int) -> list[Violation]:
    """The violations in [since_us, until_us]; one that lasts at `until_us` has no end.

    pieces: the time outside, disjoint and in the order of time, from `window_us` before `since_us` on. Reaching what is
    allowed violates it, as thresholds of cumulative time are meant.
    """
    found: list[Violation] = []
    started: int | None = None
    most = 0
    for begin, used, end, used_at_end in _sections(pieces, window_us, since_us, until_us):
        if started is None and max(used, used_at_end) >= allowed_us:
            started = begin if used >= allowed_us else begin + (allowed_us - used)
            most = 0
        if started is not None:
            most = max(most, used if begin >= started else 0, used_at_end)
            if used_at_end < allowed_us:
                # It falls by a microsecond a microsecond; at `fell` it is what is allowed for the last time.
                fell = begin + max(used - allowed_us, 0)
                found.append(Violation(started, fell, most))
                started = None
        if end == until_us:
            break
    if started is not None:
        found.append(Violation(started, None, most))
    return found


def _sections(pieces: Pieces, window_us: int, since_us: int, until_us: int) -> Iterator[tuple[int, int, int, int]]:
    """Sections of time within which what is used up only rises, only falls or stays: begin, used, end, used then."""
    used_at = _Used(pieces, window_us)
    turns = {since_us, until_us}
    for begin, end in pieces:
        turns |= {begin, end, begin + window_us, end + window_us}
    instants = sorted(turn for turn in turns if since_us <= turn <= until_us)
    used = used_at(instants[0])
    if len(instants) == 1:
        yield instants[0], used, instants[0], used
    for begin, end in pairwise(instants):
        used_then = used_at(end)
        yield begin, used, end, used_then
        used = used_then


class _Used:
    """How much of the window before an instant was outside, in microseconds."""

    def __init__(self, pieces: Pieces, window_us: int) -> None:
        self._pieces = pieces
        self._begins = [begin for begin, _ in pieces]
        self._before = list(accumulate((end - begin for begin, end in pieces), initial=0))
        self._window_us = window_us

    def __call__(self, instant: int) -> int:
        return self._until(instant) - self._until(instant - self._window_us)

    def _until(self, instant: int) -> int:
        """How much was outside before `instant`, ever."""
        place = bisect_left(self._begins, instant)
        if place == 0:
            return 0
        begin, end = self._pieces[place - 1]
        return self._before[place - 1] + min(end, instant) - begin
