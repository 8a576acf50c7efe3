"""Measure ratios on a PostgreSQL of its own, each within one run: `python -m benchmarks [NAME ...]`.

Each line says whether it meets its target; all of them are written to `benchmarks/results.json`.

`python -m benchmarks --scale [NAME ...]` measures what takes long, with up to a hundred million readings.
BENCH_DATABASE_URL selects another database, which must be empty and on a durable server; everything in it is lost.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measuring.results import Line, Results, summary
from temperature_site.dev.embedded_postgres.server import EmbeddedPostgres


def main(names: list[str], *, is_scale: bool = False) -> int:
    """Run the named benchmarks, or all of them, and return the exit code."""
    # Everything that was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as cleanup:
        os.environ["DATABASE_URL"] = os.environ.get("BENCH_DATABASE_URL") or _own_server(cleanup)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(32))
        os.environ.setdefault("LOG_LEVEL", "WARNING")
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0, interactive=False)
        benchmarks = _scale_benchmarks() if is_scale else _benchmarks()
        unknown = set(names) - benchmarks.keys()
        if unknown:
            print(f"No such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(benchmarks)}.")
            return 2
        lines: list[Line] = []
        for name, run in benchmarks.items():
            if not names or name in names:
                results = Results(f"{name} at scale" if is_scale else name)
                run(results)
                results.write()
                lines += results.lines
        print(summary(lines))
    return 0


def _own_server(cleanup: ExitStack) -> str:
    folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True))
    server = EmbeddedPostgres(Path(folder) / "postgres")
    cleanup.callback(server.stop)
    return server.start().url


def _benchmarks() -> dict[str, Callable[[Results], None]]:
    # They import models, which need configured settings.
    from benchmarks import (
        evaluation,
        importing,
        mechanisms,
        messages,
        pages,
        parsing,
        polling,
        rest_api,
        sealing,
        starting,
        storing,
        trail,
    )

    return {
        "storing": storing.run,
        "evaluation": evaluation.run,
        "parsing": parsing.run,
        "importing": importing.run,
        "messages": messages.run,
        "pages": pages.run,
        "rest_api": rest_api.run,
        "mechanisms": mechanisms.run,
        "sealing": sealing.run,
        "trail": trail.run,
        "polling": polling.run,
        "starting": starting.run,
    }


def _scale_benchmarks() -> dict[str, Callable[[Results], None]]:
    from benchmarks.at_scale import (
        archive,
        bodies,
        day,
        growth,
        polling_rate,
        pushing,
        reading,
        rest_api,
        trail,
        updating,
    )

    return {
        "rest_api": rest_api.run,
        "reading": reading.run,
        "growth": growth.run,
        "day": day.run,
        "trail": trail.run,
        "updating": updating.run,
        "polling_rate": polling_rate.run,
        "pushing": pushing.run,
        "archive": archive.run,
        "bodies": bodies.run,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--scale", action="store_true", help="run those with many readings, which take long")
    parser.add_argument("names", nargs="*", metavar="NAME", help="the benchmarks to run; all if none is named")
    arguments = parser.parse_args()
    sys.exit(main(arguments.names, is_scale=arguments.scale))
