"""The requests of many devices, made in the process that sends them: without Django, which is not set up there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks.measuring.load import Request

DEVICES_A_CUSTOMER = 1_000
EVERY = timedelta(seconds=20)
# Of the profile that is provisionally in force: otherwise each device would begin with an excursion.
IN_LIMITS_C = 4


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices' public ids, and a token of each thousand of them."""

    unit_ids: list[str]
    tokens: list[str]

    def token_of(self, device: int) -> str:
        """Return the token of the customer of a device."""
        return self.tokens[device // DEVICES_A_CUSTOMER]


@dataclass(frozen=True, slots=True)
class Pushes:
    """The requests of a case, by number. `devices`: of a push; each sends `rows` readings."""

    port: int
    fleet: Fleet
    start: datetime
    devices: int = 1
    rows: int = 1

    @property
    def readings(self) -> int:
        """The readings of a push."""
        return self.devices * self.rows

    def __call__(self, number: int) -> Request:
        """Return a push: device after device, or gateway after gateway, and then the next instant or minute."""
        turn, place = divmod(number, len(self.fleet.unit_ids) // self.devices)
        first = place * self.devices
        at = self.start + turn * self.rows * EVERY
        rows = [
            {
                "storage_unit_id": self.fleet.unit_ids[device],
                "temperature": IN_LIMITS_C + (number + row) % 100 / 100,
                "recorded_at": (at + row * EVERY).isoformat(),
                "sensor_id": "1",
            }
            for row in range(self.rows)
            for device in range(first, first + self.devices)
        ]
        path, sent = ("/api/v1/temperature", rows[0]) if self.readings == 1 else ("/api/v1/temperature/bulk", rows)
        headers = (f"Authorization: Bearer {self.fleet.token_of(first)}",)
        return Request(self.port, path, headers, "POST", json.dumps(sent).encode())
