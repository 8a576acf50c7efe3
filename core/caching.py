"""A value that is computed at most every few seconds per process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class TtlCache(Generic[T]):
    """The result of `compute`, cached for some seconds. One thread computes at a time; others wait for it."""

    def __init__(self, compute: Callable[[], T], seconds: float) -> None:
        self._compute = compute
        self._seconds = seconds
        self._lock = threading.Lock()
        self._cached: tuple[float, T] | None = None

    def value(self) -> T:
        """Return the cached value, computing it if it is older than the limit."""
        with self._lock:
            if self._cached is None or time.monotonic() - self._cached[0] > self._seconds:
                self._cached = (time.monotonic(), self._compute())
            return self._cached[1]

    def keep(self, value: T) -> None:
        """Cache `value` as if it had just been computed."""
        self._cached = (time.monotonic(), value)

    def forget(self) -> None:
        """Discard the value, so that it is computed again."""
        self._cached = None
