"""Building blocks of pages: parts refreshed by htmx, links that keep the query, long lists, and the order of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django_htmx.middleware import HtmxDetails

T = TypeVar("T")
M = TypeVar("M", bound=Model)

_NUMBER = re.compile(r"\d+", re.ASCII)
_LONGEST_NUMBER = 12


def name_key(name: str) -> str:
    """Return the key that sorts names as people read them: “Freezer 2”, “freezer 10”, “Fridge 1”."""
    return _NUMBER.sub(lambda number: number[0].zfill(_LONGEST_NUMBER), name.casefold())


class BoundedPaginator(Paginator[T]):
    """Pages of a large table's newest rows. Counting and paging stop at LIMIT: filter to find more."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        """Return the number of rows, at most LIMIT."""
        rows: Any = self.object_list
        return int(rows.order_by()[: self.LIMIT].count())


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """One page of a list with links to the previous and next one that keep the rest of the query."""

    page: Page[T]
    previous_link: str
    next_link: str

    @property
    def rows(self) -> Iterable[T]:
        """The rows of the page."""
        return self.page.object_list

    @property
    def count_text(self) -> str:
        """The number of rows of the whole list as text."""
        count = self.page.paginator.count
        return f"{BoundedPaginator.LIMIT:,} or more" if count >= BoundedPaginator.LIMIT else f"{count:,}"


def list_page(request: HttpRequest, rows: QuerySet[M], size: int, name: str = "page") -> ListPage[M]:
    """Return the page of `rows` requested by the parameter `name`, the nearest existing one."""
    page = BoundedPaginator(rows, size).get_page(request.GET.get(name))
    previous_link = _link(request, name, page.previous_page_number()) if page.has_previous() else ""
    return ListPage(page, previous_link, _link(request, name, page.next_page_number()) if page.has_next() else "")


def _link(request: HttpRequest, name: str, number: int) -> str:
    query = request.GET.copy()
    query[name] = str(number)
    return f"?{query.urlencode()}"


def requested_template(request: HttpRequest, parts: Mapping[str, str], whole: str) -> str:
    """Return the template of the part that htmx requests by its id, else of the whole page."""
    return parts.get(HtmxDetails(request).target or "", whole)


def query_with(request: HttpRequest, **changes: object) -> str:
    """Return the page's query with these parameters changed, starting at the first page."""
    current = [(name, value) for name, values in request.GET.lists() for value in values]
    others = [(name, value) for name, value in current if name != "page" and name not in changes]
    return f"?{urlencode([*others, *changes.items()])}"


def redirect_whole_page(request: HttpRequest, address: str) -> HttpResponse:
    """Redirect to another page, also if htmx sent the form to replace only a part of this one."""
    if HtmxDetails(request):
        return HttpResponse(headers={"HX-Redirect": address})
    return redirect(address)
