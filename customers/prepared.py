"""Statements that PostgreSQL parses and plans once a connection: of a look-up by an index that is most of its cost.

Only for statements whose best plan is the same whatever is looked for. A statement stays prepared for as long as its
connection lives, whatever becomes of the transaction; behind PgBouncer, where the next one may go through another
connection, nothing is prepared.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DatabaseError, connection

_numbers = itertools.count(1)
# By which name each connection of this process knows a statement.
_names: WeakKeyDictionary[Any, dict[Prepared, str]] = WeakKeyDictionary()


class Prepared:
    """A statement with `%s` for each of its parameters."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        places = itertools.count(1)
        self._text = re.sub("%(.)", lambda found: f"${next(places)}" if found[1] == "s" else found[1], sql)
        given = ", ".join(["%s"] * (next(places) - 1))
        self._arguments = f" ({given})" if given else ""

    def rows(self, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows that it gives. Raises what a cursor's `execute` raises."""
        with connection.cursor() as cursor:
            if settings.PGBOUNCER:
                cursor.execute(self._sql, parameters)
                return cursor.fetchall()
            names = _names.setdefault(connection.connection, {})
            if self not in names:
                names[self] = self._prepared()
            try:
                cursor.execute(f"EXECUTE {names[self]}{self._arguments}", parameters)
            except DatabaseError:
                # A table may have changed so that the statement has to be prepared anew, as another one.
                del names[self]
                raise
            return cursor.fetchall()

    def _prepared(self) -> str:
        """Its new name on this connection. Not a query of whoever asks: it is not among those that are counted."""
        name = f"prepared_{next(_numbers)}"
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            cursor.execute(f"PREPARE {name} AS {self._text}")
        return name
