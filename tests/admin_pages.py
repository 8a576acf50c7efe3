"""Helpers for tests of the admin's list pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

MOST_QUERIES = 20


def listed_rows(response: Any) -> list[Any]:
    """Return the rows of a list page in order."""
    return list(response.context["cl"].result_list)


def assert_queries_stay(client: Client, url: str, grow: Callable[[], object]) -> None:
    """Assert that a list of six rows takes no more queries than one of a single row; `grow` creates one row."""
    grow()
    with CaptureQueriesContext(connection) as few:
        assert len(listed_rows(client.get(url))) == 1
    for _ in range(5):
        grow()
    with CaptureQueriesContext(connection) as many:
        assert len(listed_rows(client.get(url))) == 6
    assert len(many) <= len(few) <= MOST_QUERIES
