"""A value that is found out anew after some seconds, and not more often, however many ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """What `find_out` answers, kept for `seconds` in this process. One thread asks at a time; others wait for it."""

    def __init__(self, find_out: Callable[[], T], seconds: float) -> None:
        self._find_out = find_out
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: tuple[float, T] | None = None

    def value(self) -> T:
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > self._seconds:
                self._kept = (time.monotonic(), self._find_out())
            return self._kept[1]

    def keep(self, value: T) -> None:
        """Take `value` for what was just found out."""
        self._kept = (time.monotonic(), value)

    def forget(self) -> None:
        """Find it out anew the next time."""
        self._kept = None
