"""PostgreSQL's own programs: where they are, and how they reach the database of the settings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from django.db import connection
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class with the name of a function
from psycopg2.extensions import make_dsn

from temperature_site.dev.embedded_postgres.server import BINARIES

# libpq's variables for the parameters of a connection.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
    "password": "PGPASSWORD",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}
_DEBIAN = Path("/usr/lib/postgresql")


# Each job is a process and a connection.
MOST_JOBS = 64


class ProgramError(Exception):
    """A program of PostgreSQL is missing or failed; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Database:
    """The parameters of a connection as libpq names them."""

    parameters: dict[str, str]

    def connect(self) -> Connection:
        """Open a connection."""
        return psycopg2.connect(make_dsn(**self.parameters))

    def run(self, program: Path, arguments: Sequence[str]) -> None:
        """Run a program on this database; the password is in no command line. Raise ProgramError."""
        variables = {_VARIABLES[name]: value for name, value in self.parameters.items()}
        completed = subprocess.run(  # noqa: S603 - PostgreSQL's program
            [program, *arguments], env=os.environ | variables, capture_output=True, text=True, check=False
        )
        if completed.returncode:
            raise ProgramError(f"{program.name} failed: {completed.stderr.strip()[-2000:]}")


def job_count(text: str) -> int:
    """Parse how many jobs a program runs at once. Raise ArgumentTypeError."""
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(MOST_JOBS)) or not 1 <= int(text) <= MOST_JOBS:
        raise ArgumentTypeError(f"“{text}” is not a whole number from 1 to {MOST_JOBS}")
    return int(text)


def current_database() -> Database:
    """Return the database of the settings."""
    connection.ensure_connection()
    parameters = connection.get_connection_params()
    return Database({name: str(parameters[name]) for name in _VARIABLES if parameters.get(name)})


def find_program(name: str, server_version: int) -> Path:
    """Return the program of the lowest version that is at least the server's (160004 is 16.4). Raise ProgramError.

    An older pg_dump refuses a newer server, and an older server refuses what a newer pg_dump writes.
    """
    major = server_version // 10_000
    found = {version: path for path in _candidates(name) if (version := _major_version(path)) >= major}
    if not found:
        raise ProgramError(f"{name} {major} is needed: install PostgreSQL's client programs of version {major}.")
    return found[min(found)]


def _candidates(name: str) -> Iterator[Path]:
    """Yield what may be the program; where two have one version, the last counts."""
    # The wheel contains several versions, each in a folder of its own.
    yield from sorted(BINARIES.parent.parent.glob(f"pginstall*/bin/{name}"))
    yield from sorted(_DEBIAN.glob(f"*/bin/{name}"))
    if on_path := shutil.which(name):
        yield Path(on_path)


def _major_version(program: Path) -> int:
    completed = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - as above
    match = re.search(r"\(PostgreSQL\) (\d+)", completed.stdout)
    return int(match[1]) if match else 0
