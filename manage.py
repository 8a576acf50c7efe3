#!/usr/bin/env python
"""Run the project's commands; `python manage.py help` lists them."""

import os
import signal
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError, ProgrammingError

from core.db.conflicts import DataUnavailable, pgcode_of
from temperature_site.conf.environment import require_valid_settings

UNDEFINED_TABLE, UNDEFINED_COLUMN = "42P01", "42703"


def run() -> None:
    """Run a command, and end without a traceback if the cause is outside. Its name may be written with hyphens.

    Quietly, if the reader of its output has gone or at Ctrl+C; with a sentence, if the database cannot be used or does
    not have this version's tables, or if archived readings cannot be read.
    """
    name = "".join(sys.argv[1:2])
    sys.argv[1:2] = [name if name.startswith("-") else name.replace("-", "_")] if name else []
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered must not fail again while the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database cannot be used: {str(error).strip()}")
    except ProgrammingError as error:
        if "--traceback" in sys.argv or pgcode_of(error) not in (UNDEFINED_TABLE, UNDEFINED_COLUMN):
            raise
        problem = str(error).strip().splitlines()[0]
        sys.exit(f"The database does not have the tables of this version ({problem}). Run `manage.py migrate` first.")
    except DataUnavailable as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")
    require_valid_settings()
    run()
