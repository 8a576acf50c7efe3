"""Prepared statements, which PostgreSQL parses and plans once per connection: most of the cost of an index lookup.

Use them only for statements whose best plan does not depend on the parameters: the connection's `plan_cache_mode` makes
PostgreSQL plan without looking at them. A statement stays prepared until its
connection closes, even if the transaction is rolled back. Behind PgBouncer, where each transaction may use another
connection, nothing is prepared.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DatabaseError

from core.db.replica import read_connection

# The parameters of a statement by name: whatever psycopg adapts.
Parameters = dict[str, Any]
Row: TypeAlias = tuple[Any, ...]
# Parameters in order, or by name.
Given: TypeAlias = Sequence[Any] | Mapping[str, Any]

_numbers = itertools.count(1)
# The name of each prepared statement, by connection.
_names: WeakKeyDictionary[Any, dict[Prepared, str]] = WeakKeyDictionary()


class Prepared:
    """A statement with `%s`, or `%(name)s`, for each of its parameters."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        placeholders: dict[str, str] = {}

        def number(found: re.Match[str]) -> str:
            if found[0] == "%%":
                return "%"
            # Every use of a named parameter shares a number; each unnamed one gets its own.
            key = found[0] if found[1] else f"{len(placeholders)}"
            return placeholders.setdefault(key, f"${len(placeholders) + 1}")

        self._text = re.sub(r"%(\(\w+\))?s|%%", number, sql)
        given = ", ".join(key if key.startswith("%") else "%s" for key in placeholders)
        self._arguments = f" ({given})" if given else ""

    def rows(self, parameters: Given = ()) -> list[Row]:
        """Return all rows. Raise what a cursor's `execute` raises."""
        with read_connection().cursor() as cursor:
            self._execute(cursor, parameters)
            rows: list[Row] = cursor.fetchall()
        return rows

    def execute(self, parameters: Given = ()) -> None:
        """Execute a statement that returns no rows."""
        with read_connection().cursor() as cursor:
            self._execute(cursor, parameters)

    def table(self, parameters: Given = ()) -> tuple[list[str], list[Row]]:
        """Return the names of the columns, and all rows."""
        with read_connection().cursor() as cursor:
            self._execute(cursor, parameters)
            return [column.name for column in cursor.description], cursor.fetchall()

    def _execute(self, cursor: Any, parameters: Given) -> None:
        if settings.PGBOUNCER:
            cursor.execute(self._sql, parameters)
            return
        names = _names.setdefault(read_connection().connection, {})
        if self not in names:
            names[self] = self._prepared()
        try:
            cursor.execute(f"EXECUTE {names[self]}{self._arguments}", parameters)
        except DatabaseError:
            # A table may have changed: prepare the statement again, under a new name.
            del names[self]
            raise

    def _prepared(self) -> str:
        """Prepare the statement and return its name, bypassing Django's query log so that it is not counted."""
        name = f"prepared_{next(_numbers)}"
        connection = read_connection()
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            cursor.execute(f"PREPARE {name} AS {self._text}")
        return name
