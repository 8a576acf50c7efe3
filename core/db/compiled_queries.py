"""Queries whose SQL is compiled once per process: the ORM takes longer to compile them than PostgreSQL to run them.

Only the SQL is cached. The ids of the scope are bound on every request, and the SQL itself is built with `visible_to`,
like any other query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Model, QuerySet

from core.db.prepared import Prepared
from core.db.replica import read_connection
from core.scope import Scope, ScopedModel

# Placeholders for the scope's ids, and for those given to `with_public_ids`, while the SQL is compiled: no row has
# these values. A query filters by PUBLIC_IDS with the lookup `any_of`.
_CUSTOMERS, _UNITS = frozenset({-1}), frozenset({-2})
PUBLIC_IDS = (UUID(int=0),)
_STAND_INS = ([*_CUSTOMERS], [*_UNITS], [*PUBLIC_IDS])

M = TypeVar("M", bound=ScopedModel)


class CompiledQuery:
    """Rows of plain columns within a scope. `build` returns the queryset and may depend on the scope only.

    `is_look_up`: one plan suits every scope, so that the statement is prepared; see `core.db.prepared`.
    """

    def __init__(self, build: Callable[[Scope], QuerySet[Any]], *, is_look_up: bool = False) -> None:
        self._build = build
        self._is_look_up = is_look_up
        self._texts: dict[Scope, _Text | None] = {}

    def visible_to(self, scope: Scope) -> CompiledRows:
        """Return the rows visible to `scope`; lazily, like a queryset."""
        kind = Scope(scope.customer_ids and _CUSTOMERS, scope.unit_ids and _UNITS)
        if kind not in self._texts:
            self._texts[kind] = self._text_of(kind)
        return CompiledRows(self._texts[kind], scope)

    def _text_of(self, kind: Scope) -> _Text | None:
        """Return the SQL for a kind of scope, None if it sees nothing."""
        compiler = self._build(kind).query.get_compiler(connection.alias)
        try:
            sql, parameters = compiler.as_sql()
        except EmptyResultSet:
            return None
        sql, parameters = _with_constants(sql, parameters)
        return _Text(sql, tuple(parameters), compiler.col_count or 0, self._is_look_up)


class CompiledRows:
    """The rows of a compiled query: all, a slice, or their number. One query each."""

    def __init__(self, text: _Text | None, scope: Scope) -> None:
        self._text = text
        self._scope = scope

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows("{}"))

    def __getitem__(self, part: slice) -> list[tuple[Any, ...]]:
        return self._rows("{} LIMIT %s OFFSET %s", part.stop - part.start, part.start)

    def count(self) -> int:
        """Return the number of rows."""
        return sum(row[0] for row in self._rows("SELECT count(*) FROM ({}) AS listed"))

    def with_public_ids(self, public_ids: Iterable[UUID]) -> list[tuple[Any, ...]]:
        """Return the rows of a query that filters by PUBLIC_IDS."""
        wanted = sorted(public_ids)
        return self._rows("{}", public_ids=wanted) if wanted else []

    def _rows(self, around: str, *parameters: int, public_ids: Sequence[UUID] = ()) -> list[tuple[Any, ...]]:
        if self._text is None:
            return []
        rows = self._text.rows(around, [*self._text.bound_to(self._scope, public_ids), *parameters])
        # The columns that DISTINCT is ordered by follow the selected ones.
        width = self._text.width
        return rows if not rows or len(rows[0]) == width else [row[:width] for row in rows]


def _with_constants(sql: str, parameters: Iterable[object]) -> tuple[str, list[object]]:
    """Inline the parameters that are the same for every scope: a partial index is not used for a parameter."""
    left = iter(parameters)
    placeholders: list[object] = []

    def bind(found: re.Match[str]) -> str:
        if found[1] != "s":
            return found[0]
        parameter = next(left)
        if parameter in _STAND_INS:
            placeholders.append(parameter)
            return found[0]
        with connection.cursor() as cursor:
            literal: bytes = cursor.mogrify("%s", [parameter])
        return literal.decode().replace("%", "%%")

    return re.sub("%(.)", bind, sql), placeholders


@dataclass(frozen=True, slots=True)
class _Text:
    """SQL with the placeholder values of its parameters and its number of columns."""

    sql: str
    parameters: tuple[object, ...]
    width: int
    is_look_up: bool
    prepared: dict[str, Prepared] = field(default_factory=dict)

    def rows(self, around: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        """Return the rows of the SQL inserted for "{}" in `around`."""
        if self.is_look_up:
            if around not in self.prepared:
                self.prepared[around] = Prepared(around.format(self.sql))
            return self.prepared[around].rows(parameters)
        with read_connection().cursor() as cursor:
            cursor.execute(around.format(self.sql), parameters)
            rows: list[tuple[object, ...]] = cursor.fetchall()
        return rows

    def bound_to(self, scope: Scope, public_ids: Sequence[UUID]) -> list[object]:
        """Return the parameters with the scope's ids and the public ids."""
        bound = (sorted(scope.customer_ids or ()), sorted(scope.unit_ids or ()), public_ids)
        return [bound[_STAND_INS.index(each)] for each in self.parameters]


class CompiledObjectQuery(Generic[M]):
    """One object by its public id within a scope, with its `related` objects as `select_related` would load them."""

    def __init__(self, model: type[M], *related: str) -> None:
        self._model = model
        self._related = related
        self._query = CompiledQuery(self._build, is_look_up=True)
        self._parts: list[_Part] = []

    def visible_to(self, scope: Scope, public_id: UUID) -> M:
        """Return the object. Raise the model's DoesNotExist if there is none, or `scope` may not see it."""
        rows = self._query.visible_to(scope).with_public_ids([public_id])
        if not rows:
            raise self._model.DoesNotExist(f"{self._model.__name__} {public_id}")
        return self._object(rows[0])

    def _build(self, scope: Scope) -> QuerySet[Any]:
        self._parts = _related_models(self._model, self._related)
        columns = ["__".join((*part.way, name)) for part in self._parts for name in part.names]
        visible_to: QuerySet[Any] = self._model.objects.visible_to(scope)
        return visible_to.filter(public_id__any_of=PUBLIC_IDS).values_list(*columns)

    def _object(self, row: tuple[object, ...]) -> M:
        made: dict[tuple[str, ...], Any] = {}
        first = 0
        for part in self._parts:
            values = row[first : first + len(part.names)]
            first += len(part.names)
            is_there = values[part.names.index(part.model._meta.pk.attname)] is not None
            made[part.way] = part.model.from_db(connection.alias, part.names, values) if is_there else None
            if part.way and (owner := made[part.way[:-1]]) is not None:
                owner._meta.get_field(part.way[-1]).set_cached_value(owner, made[part.way])
        found: M = made[()]
        return found


class _Part(NamedTuple):
    """An object in the row: its lookup path from the root object, its model, and its column names."""

    way: tuple[str, ...]
    model: Any
    names: list[str]


def _related_models(model: type[Model], related: tuple[str, ...]) -> list[_Part]:
    """Return the model and its related models, parents before children."""
    models: dict[tuple[str, ...], Any] = {(): model}
    for each in related:
        steps = tuple(each.split("__"))
        for count in range(1, len(steps) + 1):
            models[steps[:count]] = models[steps[: count - 1]]._meta.get_field(steps[count - 1]).related_model
    return [_Part(way, each, _names_of(each)) for way, each in models.items()]


def _names_of(model: type[Model]) -> list[str]:
    """Return the columns to read. One whose values are converted, such as a secret, is read when it is asked for."""
    return [each.attname for each in model._meta.concrete_fields if not hasattr(each, "from_db_value")]
