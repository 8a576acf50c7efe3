"""Imported by Python at the start of processes whose clocks libfaketime makes wrong: sleep in another way.

Python sleeps until an instant of the monotonic clock, which libfaketime 0.9.10 takes for one of the wrong clock.
"""

import select
import time


def _sleep(seconds: float, /) -> None:
    select.select([], [], [], seconds)


setattr(time, "sleep", _sleep)  # noqa: B010  with another type than the original's
