"""Eight writers that store the same readings at once, in overlapping shuffled batches and in different ways."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from faults.polled_system import PolledSystem
from faults.preparation import WRITERS, WRITERS_FACILITY, WRITERS_UNITS, Prepared
from tests.running_system import RunningSystem

EVERY = timedelta(minutes=1)
READINGS_A_UNIT = 120
BATCHES = 3
BATCH_SHARE = 0.6
ANSWER_SECONDS = 60.0
SENSOR = "probe"


@dataclass(frozen=True)
class Written:
    """A reading that is to be stored once, however often it is sent."""

    unit: int
    recorded_at: datetime
    temperature_c: float

    @property
    def named(self) -> dict[str, object]:
        """How a source sends it."""
        return {
            "facility_id": WRITERS_FACILITY,
            "unit_id": WRITERS_UNITS[self.unit],
            "sensor_id": SENSOR,
            "timestamp": self.recorded_at.isoformat(),
            "temperature": self.temperature_c,
            "temperature_unit": "C",
        }

    def addressed(self, unit_ids: Sequence[str]) -> dict[str, object]:
        """How the REST API takes it."""
        return {
            "storage_unit_id": unit_ids[self.unit],
            "sensor_id": SENSOR,
            "recorded_at": self.recorded_at.isoformat(),
            "temperature": self.temperature_c,
            "temperature_unit": "C",
        }


def readings_from(first: datetime, rng: random.Random) -> list[Written]:
    """Return readings of every unit, from `first` on, each a minute after the previous one."""
    return [
        Written(unit, first + number * EVERY, rng.randrange(4, 16) / 2)
        for unit in range(len(WRITERS_UNITS))
        for number in range(READINGS_A_UNIT)
    ]


@dataclass
class Writers:
    """Four writers push to a source, two use the REST API, one imports files, and one is polled."""

    site: str
    prepared: Prepared
    polled: PolledSystem
    system: RunningSystem
    folder: Path
    refusals: list[str] = field(default_factory=list)
    # How often they have written, and were asked to send again because every thread of the web process was busy.
    count: int = 0
    busy: int = 0

    def write(self, readings: list[Written], rng: random.Random) -> None:
        """Send all readings in all ways at once, and return when everything is acknowledged."""
        self.count += 1
        # Another part of the readings, in another order, for each request.
        polled_rng = random.Random(rng.getrandbits(32))
        self.polled.rows = lambda _: [each.named for each in _batch(readings, polled_rng)]
        ways = [*[self._push] * 4, *[self._send_in_bulk] * 2, self._import]
        with ThreadPoolExecutor(len(ways)) as threads:
            writing = [threads.submit(way, _batches(readings, rng)) for way in ways]
            for each in writing:
                each.result()

    def _push(self, batches: list[list[Written]]) -> None:
        for batch in batches:
            rows = [each.named for each in batch]
            self._post(self.prepared.write_path, self.prepared.write_token, {"readings": rows})

    def _send_in_bulk(self, batches: list[list[Written]]) -> None:
        for batch in batches:
            rows = [each.addressed(self.prepared.unit_ids) for each in batch]
            self._post("/api/v1/temperature/bulk?accept_old_readings=true", self.prepared.bulk_token, rows)

    def _import(self, batches: list[list[Written]]) -> None:
        files = [self.folder / f"import-{number}.json" for number in range(len(batches))]
        for file, batch in zip(files, batches, strict=True):
            file.write_text(json.dumps([each.named for each in batch]))
        command = ("import_readings", WRITERS, "--accept-old-readings", *map(str, files))
        self.system.manage(*command, TQDM_DISABLE="1", LOG_LEVEL="WARNING")

    def _post(self, path: str, token: str, document: object) -> None:
        """Send a document until it is taken, as long as the system asks for another attempt because it is busy."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.site + path, json.dumps(document).encode(), headers)  # noqa: S310  ours
        ends_at = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310  as above
                    outcome = json.load(response)
            except urllib.error.HTTPError as error:
                if error.headers["Retry-After"] and time.monotonic() < ends_at:
                    self.busy += 1
                    time.sleep(float(error.headers["Retry-After"]))
                    continue
                self.refusals.append(f"{path}: {error.code}: {error.read()[:300]!r}")
            except OSError as error:
                self.refusals.append(f"{path}: {error}")
            else:
                if outcome["rejected"]:
                    self.refusals.append(f"{path}: {json.dumps(outcome)[:300]}")
            return


def _batch(readings: list[Written], rng: random.Random) -> list[Written]:
    return rng.sample(readings, int(BATCH_SHARE * len(readings)))


def _batches(readings: list[Written], rng: random.Random) -> list[list[Written]]:
    """Return overlapping parts of the readings, each in an order of its own, and all of them at last."""
    return [*[_batch(readings, rng) for _ in range(BATCHES - 1)], rng.sample(readings, len(readings))]
