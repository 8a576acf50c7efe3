"""Many store the same at once: now, in months without a partition or being archived, and ahead; 20 workers poll."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from faults.fault import Fault
from faults.preparation import WRITERS, WRITERS_UNITS
from faults.trial import Trial
from faults.writers import EVERY, READINGS_A_UNIT, readings_from
from tests.running_system import wait_until

DURATION = READINGS_A_UNIT * EVERY
POLLED_WITHIN = 60.0
FIRST_YEAR, LAST_YEAR = 2000, 2015
COMPETE = "from faults.claimants import compete; print(compete({workers}, {seconds}))"
# Whatever is not sealed yet: these readings are of a time long ago.
ARCHIVE = """
from datetime import date
from readings.storage.archive.archiving import archive_month
archive_month(date({0.year}, {0.month}, 1))
"""
WORKERS = 20
COMPETING_SECONDS = 15.0


def store_the_same(trial: Trial, rng: random.Random) -> None:
    """Let eight writers store the same readings of an earlier day at once."""
    _write_from(trial.now() - timedelta(days=3 + trial.writers.count), trial, rng)


def store_in_missing_partitions(trial: Trial, rng: random.Random) -> None:
    """Let eight writers store the same readings around the end of a month, of which no partition exists."""
    # Not in January, with which the clocks of sensors begin that have lost their power; such rows are rejected.
    end_of_month = datetime(rng.randrange(FIRST_YEAR, LAST_YEAR), rng.randrange(2, 13), 1, tzinfo=UTC)
    # So that no two tries store readings of the same instants.
    _write_from(end_of_month - DURATION / 2 + timedelta(seconds=trial.writers.count), trial, rng)


def store_what_is_dated_ahead(trial: Trial, rng: random.Random) -> None:
    """Let eight writers store the same readings of tomorrow."""
    _write_from(trial.now() + timedelta(hours=20), trial, rng)


def archive_while_storing(trial: Trial, rng: random.Random) -> None:
    """Archive a month, and drop its partition, while eight writers store further readings of it; then restore it."""
    first = datetime(rng.randrange(FIRST_YEAR, LAST_YEAR), rng.randrange(2, 13), 5, tzinfo=UTC)
    # As above: a second for each try.
    first += timedelta(seconds=trial.writers.count)
    _write_from(first, trial, rng)
    with ThreadPoolExecutor(1) as thread:
        archiving = thread.submit(trial.system.manage, "shell", "-c", ARCHIVE.format(first))
        while not archiving.done():
            _write_from(first + timedelta(days=1, seconds=trial.writers.count), trial, rng)
        archiving.result()
    trial.system.manage("restore_readings", f"{first:%Y-%m}")


def compete(trial: Trial, _: random.Random) -> None:
    """Let 20 further workers claim and poll the sources, above all one of them, for some seconds."""
    code = COMPETE.format(workers=WORKERS, seconds=COMPETING_SECONDS)
    told = trial.system.output("shell", "-c", code).strip().splitlines()[-1]
    if told != "0":
        trial.findings.append(f"{told} deliveries of a source were made at the same time as another")


def _write_from(first: datetime, trial: Trial, rng: random.Random) -> None:
    """Let eight writers store the same readings, from `first` on, and the polled one request them twice."""
    readings = readings_from(first, rng)
    trial.writers.write(readings, rng)
    polled = trial.writers.polled
    requested = polled.count
    wait_until("it is polled twice", lambda: polled.count >= requested + 2, seconds=POLLED_WITHIN)
    for number, code in enumerate(WRITERS_UNITS):
        trial.expect(WRITERS, code, [each.temperature_c for each in readings if each.unit == number])


FAULTS = [
    Fault("eight writers store the same", store_the_same, tries=10),
    Fault("eight writers store in missing partitions", store_in_missing_partitions, tries=10),
    Fault("eight writers store readings dated ahead", store_what_is_dated_ahead, tries=5),
    Fault("a month is archived while eight writers store in it", archive_while_storing, tries=5),
    Fault("20 workers compete for each source", compete, tries=2),
]
