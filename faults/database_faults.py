"""PostgreSQL is killed, restarted, frozen, read-only, full, and ends connections."""

from __future__ import annotations

import random
import time

from faults.fault import Fault
from faults.servers import frozen
from faults.trial import Trial

FROZEN_SECONDS = 60
END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename <> ''"
)


def kill(trial: Trial, _: random.Random) -> None:
    """Kill the server and start it again: it recovers from its log."""
    trial.postgres.kill()
    trial.postgres.start()


def restart(trial: Trial, _: random.Random) -> None:
    """Restart the server, which ends every connection."""
    trial.postgres.stop()
    trial.postgres.start()


def end_connections(trial: Trial, _: random.Random) -> None:
    """End every connection, whatever it is doing."""
    trial.postgres.execute(END_CONNECTIONS)


def freeze(trial: Trial, rng: random.Random) -> None:
    """Freeze the server for some seconds."""
    with frozen(trial.postgres):
        time.sleep(rng.uniform(1, 5))


def freeze_for_a_minute(trial: Trial, _: random.Random) -> None:
    """Freeze the server for a minute: longer than the timeouts of those who wait for it."""
    with frozen(trial.postgres):
        time.sleep(FROZEN_SECONDS)


def allow_only_reading(trial: Trial, rng: random.Random) -> None:
    """Reject every change for some seconds, as a standby does after a failover."""
    trial.postgres.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    trial.postgres.execute("SELECT pg_reload_conf()")
    time.sleep(rng.uniform(1, 5))
    trial.postgres.execute("ALTER SYSTEM RESET default_transaction_read_only")
    trial.postgres.execute("SELECT pg_reload_conf()")


FAULTS = [
    Fault("PostgreSQL is killed", kill),
    Fault("PostgreSQL is restarted", restart),
    Fault("PostgreSQL ends all connections", end_connections),
    Fault("PostgreSQL is frozen for seconds", freeze),
    Fault("PostgreSQL is frozen for a minute", freeze_for_a_minute, tries=1),
    Fault("PostgreSQL is read-only", allow_only_reading),
]
