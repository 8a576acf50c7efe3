"""Queries whose SQL is worked out once in a process: building one takes the ORM longer than PostgreSQL to answer it.

What is remembered is only the text. Whose rows are asked for is put into it at every request, and it is made by
`within` like that of any other query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from customers.scope import Scope

# What stands for a scope's ids while the text is made: no row has such ids.
_CUSTOMERS, _UNITS = frozenset({-1}), frozenset({-2})


class RememberedQuery:
    """Rows of plain columns within a scope. `build` makes the queryset of columns; it may look at nothing else."""

    def __init__(self, build: Callable[[Scope], QuerySet[Any]]) -> None:
        self._build = build
        self._texts: dict[Scope, _Text | None] = {}

    def within(self, scope: Scope) -> RememberedRows:
        """The rows that `scope` may see; nothing is asked before they are looked at."""
        kind = Scope(scope.customer_ids and _CUSTOMERS, scope.unit_ids and _UNITS)
        if kind not in self._texts:
            self._texts[kind] = self._text_of(kind)
        return RememberedRows(self._texts[kind], scope)

    def _text_of(self, kind: Scope) -> _Text | None:
        """None where a scope of this kind sees nothing."""
        compiler = self._build(kind).query.get_compiler(connection.alias)
        try:
            sql, parameters = compiler.as_sql()
        except EmptyResultSet:
            return None
        return _Text(sql, tuple(parameters), compiler.col_count)


class RememberedRows:
    """The rows of a remembered query: all of them, those of a slice, or how many there are. One query each."""

    def __init__(self, text: _Text | None, scope: Scope) -> None:
        self._text = text
        self._scope = scope

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows("{}"))

    def __getitem__(self, part: slice) -> list[tuple[Any, ...]]:
        return self._rows("{} LIMIT %s OFFSET %s", part.stop - part.start, part.start)

    def count(self) -> int:
        return sum(row[0] for row in self._rows("SELECT count(*) FROM ({}) AS listed"))

    def _rows(self, around: str, *parameters: int) -> list[tuple[Any, ...]]:
        if self._text is None:
            return []
        with connection.cursor() as cursor:
            cursor.execute(around.format(self._text.sql), [*self._text.bound_to(self._scope), *parameters])
            # What DISTINCT is ordered by stands behind the columns.
            return [row[: self._text.width] for row in cursor.fetchall()]


class _Text(NamedTuple):
    """SQL, its parameters, those of a scope by what stands for them, and how many of its columns were asked for."""

    sql: str
    parameters: tuple[Any, ...]
    width: int

    def bound_to(self, scope: Scope) -> list[Any]:
        """The parameters with the scope's own ids."""
        return [self._of(scope, each) for each in self.parameters]

    @staticmethod
    def _of(scope: Scope, parameter: Any) -> Any:
        if parameter == [*_CUSTOMERS]:
            return sorted(scope.customer_ids or ())
        return sorted(scope.unit_ids or ()) if parameter == [*_UNITS] else parameter
