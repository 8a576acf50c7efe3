"""Databases with empty tables, copied from one that is migrated once per run: copying takes a fraction of the time."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from django.conf import settings

# The run's templates begin with it; the controller sets it, and the workers of pytest-xdist inherit it.
TEMPLATE_VARIABLE = "TEST_TEMPLATE_DATABASE"
# Of two workers one migrates while the other waits.
LOCK = "SELECT pg_advisory_lock(hashtext(%s))"
MIGRATE_SECONDS = 300


@dataclass(frozen=True)
class Database:
    """A database on the tests' PostgreSQL server that other processes can see."""

    url: str

    @property
    def name(self) -> str:
        """The name of the database."""
        return urlsplit(self.url).path.removeprefix("/")

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own; return its rows."""
        connection = psycopg2.connect(self.url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Any:
        """Return the single value that the statement yields."""
        ((value,),) = self.rows(sql, parameters)
        return value


def choose_template() -> None:
    """Choose a name for this run's templates, so that runs on the same server do not share one."""
    os.environ[TEMPLATE_VARIABLE] = f"test_template_{uuid.uuid4().hex[:12]}"


def migrated_template() -> str:
    """Return the name of a database with empty tables, which others are copies of."""
    return _template("", "template0", _migrate)


def template_with(purpose: str, fill: Callable[[Database], None]) -> str:
    """Return the name of a database that `fill` has filled for this purpose, which others are copies of."""
    return _template(f"_{purpose}", migrated_template(), fill)


def drop_templates() -> None:
    """Drop this run's templates from a server that continues to run."""
    with _server() as server:
        server.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [os.environ[TEMPLATE_VARIABLE]]
        )
        for (name,) in server.fetchall():
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def own_database(template: str) -> Iterator[Database]:
    """Create a copy of the template and drop it afterwards."""
    database = _database(f"test_system_{uuid.uuid4().hex[:12]}")
    _on_server(f"CREATE DATABASE {database.name} TEMPLATE {template}")
    try:
        yield database
    finally:
        _on_server(f"DROP DATABASE {database.name} WITH (FORCE)")


def _template(ending: str, origin: str, fill: Callable[[Database], None]) -> str:
    """Return the name of a template of this run; the first caller of a run creates it."""
    name = f"{os.environ[TEMPLATE_VARIABLE]}{ending}"
    with _server() as server:
        server.execute(LOCK, [name])
        server.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        if not server.rowcount:
            # Under its name only once it is complete: a failure leaves nothing that looks like a template.
            unfinished = _database(f"{name}_new")
            server.execute(f"DROP DATABASE IF EXISTS {unfinished.name}")
            server.execute(f"CREATE DATABASE {unfinished.name} TEMPLATE {origin}")
            fill(unfinished)
            server.execute(f"ALTER DATABASE {unfinished.name} RENAME TO {name}")
    return name


def _database(name: str) -> Database:
    return Database(urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}")))


def _migrate(database: Database) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": database.url},
        check=True,
        timeout=MIGRATE_SECONDS,
        stdout=subprocess.DEVNULL,
    )


def _on_server(sql: str) -> None:
    with _server() as server:
        server.execute(sql)


@contextmanager
def _server() -> Iterator[Any]:
    """Connect to the server without a transaction, in which databases cannot be created; yield a cursor."""
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
