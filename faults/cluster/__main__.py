"""Remove one of each kind of machine: `python -m faults.cluster`, or only those whose name contains a text."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")
MAX_ANSWER_SECONDS = 5.0


def main() -> int:
    """Run the removals; return 1 if anything was lost, duplicated or changed, or a page took longer than 5 s."""
    parser = argparse.ArgumentParser(prog="faults.cluster", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of removals (default all)")
    arguments = parser.parse_args()
    django.setup()

    from faults.cluster.machines import running_cluster
    from faults.cluster.removals import removals
    from faults.cluster.servers import missing_programs
    from faults.fault import run
    from faults.report import Report

    if missing := missing_programs():
        print(f"Install {', '.join(missing)}, with Debian's packages pgbouncer, haproxy and rabbitmq-server.")
        return 2
    report, is_slow = Report(seed=0), False
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # PostgreSQL and PgBouncer may run as other users.
        folder.chmod(0o755)
        with running_cluster(folder) as cluster:
            for fault in removals(cluster):
                if arguments.names and not any(part in fault.name for part in arguments.names):
                    continue
                cluster.probes.failures = 0
                outcome = run(cluster.trial, fault, random.Random(0))
                report.add(outcome)
                print(f"requests repeated: {cluster.probes.failures}", flush=True)
                is_slow |= outcome.slowest_ping_seconds > MAX_ANSWER_SECONDS
    return 0 if report.is_passed and not is_slow else 1


if __name__ == "__main__":
    sys.exit(main())
