"""Rows of the database as a serializer describes them, without an object for each.

A list's rows are read as plain columns and named by the serializer's fields: what the fields say is what is read, and
a page of a thousand rows costs no thousand model instances.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.http import Http404
from rest_framework.fields import Field, UUIDField
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from core.db.compiled_queries import RememberedQuery
from customers.access.principal import principal_of


class Shape:
    """The names and the columns of a serializer's fields; their `source` is the way to the column."""

    def __init__(self, serializer_class: type[Serializer[Any]]) -> None:
        self._serializer_class = serializer_class

    @cached_property
    def _fields(self) -> dict[str, str | Cast]:
        fields = self._serializer_class().fields
        return {name: self._column(field, name) for name, field in fields.items() if not field.write_only}

    @staticmethod
    def _column(field: Field[Any, Any, Any, Any], name: str) -> str | Cast:
        way = (field.source or name).replace(".", "__")
        # An id is only written: as a text it need not be made a UUID, and a text of that, for every row.
        return Cast(way, TextField()) if isinstance(field, UUIDField) else way

    def columns(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The columns of these rows that the serializer shows."""
        return rows.values_list(*self._fields.values())

    def named(self, columns: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
        """What `columns` gave, as the serializer shows it."""
        names = tuple(self._fields)
        return [dict(zip(names, row, strict=True)) for row in columns]

    def one(self, rows: QuerySet[Any]) -> dict[str, Any]:
        """The one row there is. Raises Http404 where there is none."""
        found = self.named(self.columns(rows)[:1])
        if not found:
            raise Http404
        return found[0]


class ShapedList:
    """For a generic view: a list in pages, read as its `shape` says. Override `present` for what is worked out.

    `remembered`: the columns of `get_queryset` for a list that is asked for all the time, whose caller's `own_scope`
    is all that it depends on.
    """

    shape: Shape
    remembered: RememberedQuery | None = None

    def present(self, columns: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        return self.shape.named(columns)

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        view: Any = self
        if self.remembered:
            rows: Any = self.remembered.visible_to(principal_of(request).own_scope)
        else:
            rows = self.shape.columns(view.get_queryset())
        return view.get_paginated_response(self.present(view.paginate_queryset(rows)))
