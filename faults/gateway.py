"""A gateway that pushes readings until they are acknowledged, and keeps account of them."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.running_system import wait_until

CUSTOMER = "GATEWAY"
UNITS_A_PUSH = 3
PUSH_EVERY_SECONDS = 1.0
ANSWER_SECONDS = 10.0
ACKNOWLEDGED_WITHIN = 180.0
# Longer ago than the delay of an alarm, so that each unit raises one at once.
OUTSIDE_SINCE = timedelta(minutes=40)
TOO_WARM_C = 15.0
SET_C = 5.0


@dataclass
class Gateway:
    """Pushes two readings of new units each second. Every unit is too warm, so each of them is to raise one alarm."""

    url: str
    token: str
    # The time by the system's clocks.
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    acknowledged: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    _count: int = 0
    _is_ending: threading.Event = field(default_factory=threading.Event)
    _is_idle: threading.Event = field(default_factory=threading.Event)
    _is_wanted: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._push_for_ever, daemon=True)
        self._thread.start()

    @property
    def expected(self) -> dict[tuple[str, str], tuple[int, float]]:
        """What was acknowledged: number and sum of the temperatures by customer and unit."""
        return {(CUSTOMER, unit): (2, 2 * TOO_WARM_C) for unit in self.acknowledged}

    def begin(self) -> None:
        """Forget what was acknowledged and refused before, while nothing is being pushed."""
        self.acknowledged.clear()
        self.refusals.clear()

    def push(self) -> None:
        """Push from now on."""
        self._is_wanted.set()

    def pause(self) -> None:
        """Begin no further push, and wait until what was begun is acknowledged. Raise NeverCameTrue."""
        self._is_wanted.clear()
        wait_until("the current push is acknowledged", self._is_idle.is_set, seconds=ACKNOWLEDGED_WITHIN)

    def end(self) -> None:
        """End the thread, whether or not the current push is acknowledged."""
        self._is_ending.set()
        self._is_wanted.set()
        self._thread.join(ANSWER_SECONDS + PUSH_EVERY_SECONDS)

    def _push_for_ever(self) -> None:
        while not self._is_ending.is_set():
            if not self._is_wanted.is_set():
                self._is_idle.set()
                self._is_wanted.wait()
                continue
            self._is_idle.clear()
            self._push_until_acknowledged()
            time.sleep(PUSH_EVERY_SECONDS)

    def _push_until_acknowledged(self) -> None:
        units = [f"unit_{self._count + number:06}" for number in range(UNITS_A_PUSH)]
        self._count += UNITS_A_PUSH
        body = json.dumps({"readings": [row for unit in units for row in _rows(unit, self.now())]}).encode()
        while not self._is_ending.is_set():
            if self._is_acknowledged(body):
                self.acknowledged.extend(units)
                return
            time.sleep(PUSH_EVERY_SECONDS / 2)

    def _is_acknowledged(self, body: bytes) -> bool:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url, body, headers)  # noqa: S310  our own web process
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310
                outcome = json.load(response)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                self.refusals.append(f"{error.code}: {error.read()[:300]!r}")
            return False
        except OSError:
            return False
        if outcome["rejected"]:
            self.refusals.append(json.dumps(outcome)[:300])
        return True


def _rows(unit: str, now: datetime) -> list[dict[str, object]]:
    row = {"facility_id": "hall", "unit_id": unit, "temperature": TOO_WARM_C, "temperature_unit": "C"}
    return [row | {"timestamp": at.isoformat(), "set_temperature": SET_C} for at in (now - OUTSIDE_SINCE, now)]
