"""Long lists cut into pages for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):
    """Pages of a big table's newest rows. Counting stops at LIMIT, and so do the pages: who seeks more filters."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.LIMIT].count())


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list with the links to those before and after it, which keep the rest of the address."""

    page: Page[Any]
    previous_link: str
    next_link: str

    @property
    def rows(self) -> Iterable[Any]:
        return self.page.object_list

    @property
    def count_text(self) -> str:
        """How many rows the whole list has."""
        count = self.page.paginator.count
        return f"{BoundedPaginator.LIMIT:,} or more" if count >= BoundedPaginator.LIMIT else f"{count:,}"


def list_page(request: HttpRequest, rows: Any, size: int, name: str = "page") -> ListPage:
    """The page of the queryset `rows` that the parameter `name` asks for; the nearest where there is no such page."""
    page = BoundedPaginator(rows, size).get_page(request.GET.get(name))
    previous_link = _link(request, name, page.previous_page_number()) if page.has_previous() else ""
    return ListPage(page, previous_link, _link(request, name, page.next_page_number()) if page.has_next() else "")


def _link(request: HttpRequest, name: str, number: int) -> str:
    query = request.GET.copy()
    query[name] = str(number)
    return f"?{query.urlencode()}"
