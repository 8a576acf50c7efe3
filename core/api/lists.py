"""Paginated lists: the schema of a page, and views that read rows instead of model instances."""

from __future__ import annotations

from typing import Any

from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from core.api.pagination import PageSerializer, Rows
from core.api.serializer_rows import Representation, Row, SerializerRows


def page_of(item: type[Serializer[Any]]) -> Serializer[Any]:
    """Return the serializer of a page of such items."""
    page: type[Serializer[Any]] = type(f"PageOf{item.__name__}", (PageSerializer,), {"items": item(many=True)})
    return page()


class RowListView(GenericAPIView[Any]):
    """A generic view of a paginated list, read as `rows` without model instances.

    Override `get_rows` to use a compiled query, and `represent` to add computed fields.
    """

    rows: SerializerRows

    def get_rows(self) -> Rows:
        """Return the columns of all rows of the list."""
        return self.rows.values(self.get_queryset())

    def represent(self, rows: list[Row]) -> list[Representation]:
        """Return the rows of a page in their output format."""
        return self.rows.represent(rows)

    def list_page(self) -> Response:
        """Return the requested page of the list."""
        rows: list[Row] = list(self.paginate_queryset(self.get_rows()) or ())  # type: ignore[arg-type]  # not a queryset
        return self.get_paginated_response(self.represent(rows))
