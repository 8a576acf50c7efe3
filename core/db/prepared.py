"""Statements that PostgreSQL parses and plans once a connection: of a look-up by an index that is most of its cost.

Only for statements whose best plan is the same whatever is looked for. A statement stays prepared for as long as its
connection lives, whatever becomes of the transaction; behind PgBouncer, where the next one may go through another
connection, nothing is prepared.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DatabaseError, connection

# The parameters of a statement by name: whatever psycopg adapts.
Parameters = dict[str, Any]

_numbers = itertools.count(1)
# By which name each connection of this process knows a statement.
_names: WeakKeyDictionary[Any, dict[Prepared, str]] = WeakKeyDictionary()


class Prepared:
    """A statement with `%s`, or `%(name)s`, for each of its parameters."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        places: dict[str, str] = {}

        def number(found: re.Match[str]) -> str:
            if found[0] == "%%":
                return "%"
            # A named parameter has one number wherever it stands, one without a name a number of its own.
            key = found[0] if found[1] else f"{len(places)}"
            return places.setdefault(key, f"${len(places) + 1}")

        self._text = re.sub(r"%(\(\w+\))?s|%%", number, sql)
        given = ", ".join(key if key.startswith("%") else "%s" for key in places)
        self._arguments = f" ({given})" if given else ""

    def rows(self, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """All rows that it gives. Raises what a cursor's `execute` raises."""
        return self.table(parameters)[1]

    def table(self, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return the names of the columns, and all rows."""
        with connection.cursor() as cursor:
            if settings.PGBOUNCER:
                cursor.execute(self._sql, parameters)
            else:
                self._execute(cursor, parameters)
            return [column.name for column in cursor.description], cursor.fetchall()

    def _execute(self, cursor: Any, parameters: Sequence[Any] | Mapping[str, Any]) -> None:
        names = _names.setdefault(connection.connection, {})
        if self not in names:
            names[self] = self._prepared()
        try:
            cursor.execute(f"EXECUTE {names[self]}{self._arguments}", parameters)
        except DatabaseError:
            # A table may have changed so that the statement has to be prepared anew, as another one.
            del names[self]
            raise

    def _prepared(self) -> str:
        """Its new name on this connection. Not a query of whoever asks: it is not among those that are counted."""
        name = f"prepared_{next(_numbers)}"
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            cursor.execute(f"PREPARE {name} AS {self._text}")
        return name
