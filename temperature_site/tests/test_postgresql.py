"""A connection that is kept between requests is checked without asking the server, and replaced when it is gone."""

from __future__ import annotations

import pytest
from django.db import close_old_connections, connection, connections

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a web process: connections stand from one request to the next and are checked before they are used."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", True)
    connection.close()


def backend_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found: int = cursor.fetchone()[0]
    return found


def test_a_healthy_connection_is_reused_without_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    first = backend_id()
    monkeypatch.setattr(
        "django.db.backends.postgresql.base.DatabaseWrapper.is_usable", lambda self: pytest.fail("asked")
    )

    close_old_connections()

    assert backend_id() == first


def test_a_closed_connection_is_replaced_before_it_is_used() -> None:
    first = backend_id()
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    other.close()

    close_old_connections()

    assert backend_id() != first


def test_after_an_error_the_server_is_queried(monkeypatch: pytest.MonkeyPatch) -> None:
    first = backend_id()
    requested: list[object] = []

    def is_usable(self: object) -> bool:
        requested.append(self)
        return False

    monkeypatch.setattr("django.db.backends.postgresql.base.DatabaseWrapper.is_usable", is_usable)
    connection.errors_occurred = True

    close_old_connections()

    assert len(requested) == 1
    assert backend_id() != first
