"""Pages of lists: their output, offsets, and cursors for lists that grow while they are read.

The cost of an offset grows with the rows it skips. A cursor contains the key of the last row, so that the index finds
the next page at once, however far down it is.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self
from urllib.parse import urlencode

from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from typing_extensions import override

from core.api.errors import InvalidQuery
from core.api.query_params import QueryParams, WholeNumberParam
from core.api.serializer_rows import Representation, SerializerRows

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
MAX_OFFSET = 2**53
_CURSOR = struct.Struct(">BqiiQ")


class PageParams(QueryParams):
    """`limit` and `offset` of a list."""

    limit = WholeNumberParam(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text="Items per page.")
    offset = WholeNumberParam(min_value=0, max_value=MAX_OFFSET, default=0, help_text="Items to skip.")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The requested page of a list, by offset."""

    limit: int
    offset: int

    @classmethod
    def parse(cls, request: Request) -> Self:
        """Return the page that `?limit=` and `?offset=` request. Raises InvalidQuery; nothing is capped."""
        return cls(**PageParams.parse(request))


class Rows(Protocol):
    """Rows that can be counted and sliced: a queryset or a compiled query."""

    def __getitem__(self, part: slice, /) -> Iterable[Any]:
        """Return the rows of a slice."""

    def count(self) -> int:
        """Return the number of all rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of represented items; `offset` is the number of rows before the first of them."""

    items: Sequence[object]
    total: int
    limit: int
    offset: int
    next_url: str | None
    previous_url: str | None

    @property
    def number(self) -> int:
        """The number of this page, from 1."""
        return self.offset // self.limit + 1

    @property
    def page_count(self) -> int:
        """The number of pages."""
        return -(-self.total // self.limit)


class PageSerializer(serializers.Serializer[Page]):
    """A page of a list."""

    items = serializers.ListField()
    total = serializers.IntegerField(help_text="Items in all pages.", min_value=0)
    page = serializers.IntegerField(source="number", help_text="Number of this page, from 1.", min_value=0)
    page_size = serializers.IntegerField(source="limit", help_text="The limit.", min_value=0)
    pages = serializers.IntegerField(source="page_count", help_text="Number of pages.", min_value=0)
    next = serializers.URLField(
        source="next_url", allow_null=True, help_text="URL of the next page; null on the last page."
    )
    previous = serializers.URLField(
        source="previous_url", allow_null=True, help_text="URL of the previous page; null on the first page."
    )


PAGE_ROWS = SerializerRows(PageSerializer)


def represent_page(page: Page) -> Representation:
    """Return the page as PageSerializer defines it."""
    [representation] = PAGE_ROWS.represent_objects([page])
    return representation


def url_with(request: Request, **parameters: str | int | None) -> str:
    """Return the request's URL with these query parameters changed; None removes one."""
    base = request._request.build_absolute_uri(request._request.path)
    kept = [(name, value) for name, values in request._request.GET.lists() for value in values]
    query = [(name, value) for name, value in kept if name not in parameters]
    query += [(name, str(value)) for name, value in parameters.items() if value is not None]
    return f"{base}?{urlencode(query)}" if query else base


class Pagination(BasePagination):
    """Pages by limit and offset, for lists that are not time series."""

    @override
    def paginate_queryset(  # type: ignore[override]  # compiled queries are paginated, too
        self, queryset: Rows, request: Request, view: APIView | None = None
    ) -> list[Any]:
        self.request = request
        self.page = page = PageRequest.parse(request)
        rows = list(queryset[page.offset : page.offset + page.limit])
        # A short page gives the total without counting.
        is_last = len(rows) < page.limit and (rows or not page.offset)
        self.total = page.offset + len(rows) if is_last else queryset.count()
        return rows

    @override
    def get_paginated_response(self, data: Sequence[object]) -> Response:
        page, request = self.page, self.request
        following, before = page.offset + page.limit, max(page.offset - page.limit, 0)
        return Response(
            represent_page(
                Page(
                    items=data,
                    total=self.total,
                    limit=page.limit,
                    offset=page.offset,
                    next_url=url_with(request, limit=page.limit, offset=following) if following < self.total else None,
                    previous_url=url_with(request, limit=page.limit, offset=before) if page.offset else None,
                )
            )
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a time series: after the row with this key in descending order, or before it if `is_backwards`.

    The key is a time in microseconds and two ids. `position` is the number of rows before the page at the time the
    cursor was issued. It only numbers the page.
    """

    microseconds: int
    first_id: int
    second_id: int
    position: int
    is_backwards: bool = False

    def to_text(self) -> str:
        """Return the cursor as an opaque text for URLs."""
        packed = _CURSOR.pack(self.is_backwards, self.microseconds, self.first_id, self.second_id, self.position)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the cursor that `to_text` encoded. Raises InvalidQuery. It grants nothing, so it is not signed."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            backwards, microseconds, first_id, second_id, position = _CURSOR.unpack(packed)
        except (struct.error, binascii.Error, ValueError) as error:
            raise InvalidQuery("cursor", "is not a cursor of this API.") from error
        # From the year 2000 to 2200, and no further than an offset goes.
        if backwards > 1 or position > MAX_OFFSET or not 946_684_800 * 10**6 <= microseconds < 7_258_118_400 * 10**6:
            raise InvalidQuery("cursor", "is not a cursor of this API.")
        return cls(microseconds, first_id, second_id, position, bool(backwards))
