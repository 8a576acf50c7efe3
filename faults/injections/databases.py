"""PostgreSQL is killed, restarted, frozen, read-only, full, and ends connections."""

from __future__ import annotations

import random
import time

from faults.fault import CannotInject, Fault
from faults.servers import OwnPostgres, frozen
from faults.trial import Trial

FROZEN_SECONDS = 60
END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename <> ''"
)


def _postgres(trial: Trial) -> OwnPostgres:
    assert trial.postgres is not None
    return trial.postgres


def kill(trial: Trial, _: random.Random) -> None:
    """Kill the server and start it again: it recovers from its log."""
    _postgres(trial).kill()
    _postgres(trial).start()


def restart(trial: Trial, _: random.Random) -> None:
    """Restart the server, which ends every connection."""
    _postgres(trial).stop()
    _postgres(trial).start()


def end_connections(trial: Trial, _: random.Random) -> None:
    """End every connection, whatever it is doing."""
    _postgres(trial).execute(END_CONNECTIONS)


def freeze(trial: Trial, rng: random.Random) -> None:
    """Freeze the server for some seconds."""
    with frozen(_postgres(trial)):
        time.sleep(rng.uniform(1, 5))


def freeze_for_a_minute(trial: Trial, _: random.Random) -> None:
    """Freeze the server for a minute: longer than the timeouts of those who wait for it."""
    with frozen(_postgres(trial)):
        time.sleep(FROZEN_SECONDS)


def allow_only_reading(trial: Trial, rng: random.Random) -> None:
    """Reject every change for some seconds, as a standby does after a failover."""
    _postgres(trial).execute("ALTER SYSTEM SET default_transaction_read_only = on")
    _postgres(trial).execute("SELECT pg_reload_conf()")
    time.sleep(rng.uniform(1, 5))
    _postgres(trial).execute("ALTER SYSTEM RESET default_transaction_read_only")
    _postgres(trial).execute("SELECT pg_reload_conf()")


def fill_the_disk(trial: Trial, rng: random.Random) -> None:
    """Leave no space on the file system of the data directory, log included, for some seconds.

    A server that has ended for that is started again afterwards, as a service manager does.
    """
    volume = _postgres(trial).volume
    if not volume.is_mounted:
        raise CannotInject("its data directory needs a small file system of its own, which only root may mount")
    with volume.filled():
        time.sleep(rng.uniform(1, 4))
    _postgres(trial).restart_if_ended()


FAULTS = [
    Fault("PostgreSQL is killed", kill),
    Fault("PostgreSQL is restarted", restart),
    Fault("PostgreSQL ends all connections", end_connections),
    Fault("PostgreSQL is frozen for seconds", freeze),
    Fault("PostgreSQL is frozen for a minute", freeze_for_a_minute, tries=1),
    Fault("PostgreSQL is read-only", allow_only_reading),
    Fault("PostgreSQL's disk is full", fill_the_disk),
]
