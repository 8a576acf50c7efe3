"""Inject every fault and write the report: `python -m faults`, or only those whose name contains a text.

`python -m faults soak` keeps a system under load instead, and measures whether it stays the same.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")


def main() -> int:
    """Run the faults; return 1 if anything was lost, duplicated or changed, or did not recover."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of faults (default all)")
    parser.add_argument("--tries", type=int, help="at most so many injections of each fault")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="determines the moments of the injections")
    parser.add_argument("--report", type=Path, default=Path("docs/fault-report.md"), help="the file to write")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long `soak` keeps the system under load")
    arguments = parser.parse_args()
    django.setup()

    from faults.report import Report
    from faults.series import run_series
    from faults.soak import soak

    report = Report(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # PostgreSQL and RabbitMQ may run as other users.
        folder.chmod(0o755)
        if arguments.names == ["soak"]:
            return soak(folder, arguments.minutes)
        for outcome in run_series(folder, arguments.names, arguments.seed, arguments.tries):
            report.add(outcome)
            if not arguments.names:
                # After each fault: the last ones may take long.
                arguments.report.write_text(report.document(), encoding="utf-8")
    return 0 if report.is_passed else 1


if __name__ == "__main__":
    sys.exit(main())
