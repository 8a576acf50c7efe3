"""Run checks beside each other with a limit on the wait, whatever they wait for.

A frozen server acknowledges what it is sent and answers nothing, which no timeout of a client library detects. So each
check has a thread of its own, and one that is still waiting is not started again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NoAnswer(Exception):  # noqa: N818 - an expected outcome
    """The check is still waiting."""


class BoundedCheck(Generic[T]):
    """A check that runs in a thread of its own. `check` raises what it cannot answer."""

    def __init__(self, check: Callable[[], T]) -> None:
        self._check = check
        self._thread: threading.Thread | None = None
        self._outcome: T | BaseException | None = None

    def start(self) -> None:
        """Start the check unless it is still running."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def result(self, deadline: float) -> T:
        """Return the result, waiting until `deadline` by the monotonic clock. Raise NoAnswer, or what it raised."""
        assert self._thread is not None  # noqa: S101  it was started
        self._thread.join(max(deadline - time.monotonic(), 0.0))
        if self._thread.is_alive():
            raise NoAnswer
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome  # type: ignore[return-value]  # only a finished check has a result

    def _run(self) -> None:
        try:
            self._outcome = self._check()
        except BaseException as error:  # noqa: BLE001  raised again by result()
            self._outcome = error
