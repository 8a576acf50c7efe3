"""The subscriber is killed and frozen while messages are published by MQTT."""

from __future__ import annotations

import random
import time

from faults.fault import CannotInject, Fault
from faults.trial import Trial
from tests.running_system import wait_until

# Longer than the lease of the killed one's subscription.
SUBSCRIBED_WITHIN = 60.0


def kill_the_subscriber(trial: Trial, rng: random.Random) -> None:
    """Kill the subscriber at a random moment after it has stored something that was published before."""
    sensor = trial.sensor
    if sensor is None:
        raise CannotInject("Mosquitto is not installed (Debian's package `mosquitto`)")
    published = len(sensor.published)
    wait_until("something is published", lambda: len(sensor.published) > published, seconds=SUBSCRIBED_WITHIN)
    latest = sensor.published[-1:]
    wait_until("it is stored", lambda: sensor.is_stored(trial.database, latest), seconds=SUBSCRIBED_WITHIN)
    time.sleep(rng.uniform(0, 1))
    trial.kill("subscriber")


FAULTS = [Fault("the subscriber is killed", kill_the_subscriber, tries=5)]
