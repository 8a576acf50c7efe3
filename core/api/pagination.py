"""Lists in pages: the envelope, plain offsets, and cursors for what grows while it is read.

An offset costs as much as all that it passes over. A cursor names the last row that was seen, so that the next page
is found by the index, wherever it is.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.db.models import QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import InvalidQuery
from core.api.query_params import Parameters
from core.db.compiled_queries import RememberedRows

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
MAX_OFFSET = 2**53
_CURSOR = struct.Struct(">BqiiQ")


@dataclass(frozen=True, slots=True)
class PlainPage:
    """Which rows of a list are asked for, by their number."""

    limit: int
    offset: int

    @classmethod
    def of(cls, request: Request, default_limit: int = DEFAULT_LIMIT) -> Self:
        """What `?limit=` and `?offset=` ask for. Raises InvalidQuery; nothing is capped."""
        parameters = Parameters.of(request)
        return cls(
            parameters.whole_number("limit", default_limit, 1, MAX_LIMIT),
            parameters.whole_number("offset", 0, 0, MAX_OFFSET),
        )


def envelope(
    items: Sequence[Any], *, total: int, limit: int, offset: int, next_url: str | None, previous_url: str | None
) -> dict[str, Any]:
    """The shape of every list. `offset`: how many rows stand before the first of `items`."""
    return {
        "items": items,
        "total": total,
        "page": offset // limit + 1,
        "page_size": limit,
        "pages": -(-total // limit),
        "next": next_url,
        "previous": previous_url,
    }


def url_with(request: Request, **parameters: str | int | None) -> str:
    """The request's own URL with these query parameters changed; None removes one."""
    url = request._request.build_absolute_uri()
    query = request._request.GET.copy()
    for name, value in parameters.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    base = url.partition("?")[0]
    return f"{base}?{query.urlencode()}" if query else base


class Pagination(BasePagination):
    """Pages by limit and offset, for lists that are not time series."""

    def paginate_queryset(
        self,
        queryset: QuerySet[Any] | RememberedRows | Sequence[Any],
        request: Request,
        view: APIView | None = None,
    ) -> list[Any]:
        """The rows asked for. They are counted by a query only where they don't show it themselves."""
        self.request = request
        self.page = page = PlainPage.of(request)
        rows = list(queryset[page.offset : page.offset + page.limit])
        is_last = len(rows) < page.limit and (rows or not page.offset)
        self.total = page.offset + len(rows) if is_last else self._count(queryset)
        return rows

    @staticmethod
    def _count(rows: QuerySet[Any] | RememberedRows | Sequence[Any]) -> int:
        return rows.count() if isinstance(rows, QuerySet | RememberedRows) else len(rows)

    def get_paginated_response(self, data: Any) -> Response:
        page, request = self.page, self.request
        following, before = page.offset + page.limit, max(page.offset - page.limit, 0)
        return Response(
            envelope(
                data,
                total=self.total,
                limit=page.limit,
                offset=page.offset,
                next_url=url_with(request, limit=page.limit, offset=following) if following < self.total else None,
                previous_url=url_with(request, limit=page.limit, offset=before) if page.offset else None,
            )
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The envelope in OpenAPI."""
        url = {"type": "string", "format": "uri", "nullable": True}
        number = {"type": "integer", "minimum": 0}
        properties = {
            "items": schema,
            **dict.fromkeys(("total", "page", "page_size", "pages"), number),
            "next": url,
            "previous": url,
        }
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """`limit` and `offset` in OpenAPI."""
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        offset = {"type": "integer", "minimum": 0, "default": 0}
        return [
            {"name": "limit", "in": "query", "required": False, "schema": limit},
            {"name": "offset", "in": "query", "required": False, "schema": offset},
        ]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a time series: beyond the row of this key, going back in time or (`is_backwards`) forward.

    The key is a time in microseconds and two ids. `position` is how many rows stood before the page when it was
    made: it numbers the page, and nothing hangs on it.
    """

    microseconds: int
    first_id: int
    second_id: int
    position: int
    is_backwards: bool = False

    def to_text(self) -> str:
        packed = _CURSOR.pack(self.is_backwards, self.microseconds, self.first_id, self.second_id, self.position)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The cursor that `to_text` gave; InvalidQuery for anything else. It grants nothing, so it is not signed."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            backwards, microseconds, first_id, second_id, position = _CURSOR.unpack(packed)
        except (struct.error, binascii.Error, ValueError) as error:
            raise InvalidQuery("cursor", "is not one that this API gave.") from error
        # From the year 2000 to 2200, and no further than an offset goes.
        if backwards > 1 or position > MAX_OFFSET or not 946_684_800 * 10**6 <= microseconds < 7_258_118_400 * 10**6:
            raise InvalidQuery("cursor", "is not one that this API gave.")
        return cls(microseconds, first_id, second_id, position, bool(backwards))
