"""One of each kind of machine is removed under load."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from faults.cluster.machines import Cluster, Machine
from faults.fault import Fault
from faults.trial import Trial

REMOVED_SECONDS = 15.0
# In which Patroni, with a lease of that length, would have noticed that the primary is gone.
NOTICED_AFTER_SECONDS = 1.0


def removals(cluster: Cluster) -> list[Fault]:
    """Return what is removed; the primary is last, as its machine does not return."""
    return [
        _removal("a web machine is removed", lambda: _without(cluster.web[0])),
        _removal("a worker machine is removed", lambda: _without(cluster.workers[0])),
        _removal("a RabbitMQ node of three is removed", lambda: _without_rabbit(cluster)),
        _removal("PgBouncer is restarted", lambda: _restart_bouncer(cluster)),
        _removal("the replica is removed", lambda: _without_replica(cluster)),
        _removal("the primary is removed and the replica promoted", lambda: _fail_over(cluster)),
    ]


def _removal(name: str, inject: Callable[[], None]) -> Fault:
    def remove(_: Trial, __: random.Random) -> None:
        inject()

    return Fault(name, remove, tries=1)


def _without(machine: Machine) -> None:
    machine.remove()
    time.sleep(REMOVED_SECONDS)
    machine.is_there.set()


def _without_rabbit(cluster: Cluster) -> None:
    cluster.rabbits[0].kill()
    time.sleep(REMOVED_SECONDS)
    cluster.rabbits[0].start()


def _restart_bouncer(cluster: Cluster) -> None:
    cluster.bouncers[0].kill()
    cluster.bouncers[0].start()
    time.sleep(REMOVED_SECONDS)


def _without_replica(cluster: Cluster) -> None:
    cluster.bouncers[1].kill()
    cluster.replica.kill()
    time.sleep(NOTICED_AFTER_SECONDS)
    cluster.go_on_without_replica()
    time.sleep(REMOVED_SECONDS)
    cluster.replica.start()
    cluster.bouncers[1].start()
    cluster.wait_for_synchronous_replica()


def _fail_over(cluster: Cluster) -> None:
    cluster.bouncers[0].kill()
    cluster.primary.kill()
    time.sleep(NOTICED_AFTER_SECONDS)
    cluster.replica.promote()
    # It would go on telling its clients that the server is read-only, as it was when it first connected.
    cluster.bouncers[1].kill()
    cluster.bouncers[1].start()
    time.sleep(REMOVED_SECONDS)
