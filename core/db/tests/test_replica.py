"""Views marked with `from_replica` read from a replica that is recent enough; everything else uses the primary.

The replica is a second connection to the same database that allows no changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import DEFAULT_DB_ALIAS, InternalError, OperationalError, connections
from django.db.backends.base.base import NO_DB_ALIAS
from django.http import StreamingHttpResponse
from pytest_django import Settings

from core.db import replica
from core.db.prepared import Prepared
from core.db.replica import REPLICA_ALIAS, ReplicaRouter, from_replica, read_connection, replica_lag_seconds
from customers.models import Customer
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db(transaction=True)

WHERE = Prepared("SELECT current_setting('application_name')")


@pytest.fixture(autouse=True)
def lag(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[list[float | None]]:
    """Add the replica; the number in the list is its lag in seconds."""
    lags: list[float | None] = [0.5]
    primary = connections.settings[DEFAULT_DB_ALIAS]
    options = {"application_name": REPLICA_ALIAS, "options": "-c default_transaction_read_only=on"}
    connect_replica(monkeypatch, primary | {"OPTIONS": options})
    monkeypatch.setattr(replica, "replica_lag_seconds", lambda: lags[0])
    monkeypatch.setattr(replica, "MEASURED_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(replica, "_verdict", replica._Verdict(is_usable=False, valid_until=0.0))
    settings.REPLICA_MAX_LAG_SECONDS = 5
    settings.DATABASE_ROUTERS = ["core.db.replica.ReplicaRouter"]
    yield lags
    connections[REPLICA_ALIAS].close()
    del connections[REPLICA_ALIAS]


def connect_replica(monkeypatch: pytest.MonkeyPatch, database: dict[str, object]) -> None:
    """Add a connection with these settings as the replica's."""
    monkeypatch.setitem(connections.settings, REPLICA_ALIAS, database)
    # pytest-django refuses connections that its settings do not have, except by this name.
    connections[REPLICA_ALIAS] = type(connections[DEFAULT_DB_ALIAS])(database, NO_DB_ALIAS)


def where() -> str:
    [(name,)] = WHERE.rows()
    return str(name)


where_from_replica = from_replica(where)


def test_a_marked_view_reads_from_the_replica_and_any_other_from_the_primary() -> None:
    assert where_from_replica() == REPLICA_ALIAS
    assert where() != REPLICA_ALIAS


def test_the_orm_reads_from_the_replica_and_writes_to_the_primary() -> None:
    CustomerFactory(customer_code="A")

    @from_replica
    def rename() -> str:
        customer = Customer.objects.get(customer_code="A")
        customer.name = "renamed"
        customer.save()
        return str(customer._state.db)

    assert rename() == DEFAULT_DB_ALIAS
    assert Customer.objects.get().name == "renamed"
    assert from_replica(lambda: Customer.objects.get()._state.db)() == REPLICA_ALIAS


def test_a_change_in_a_marked_view_fails_instead_of_being_lost() -> None:
    @from_replica
    def change() -> None:
        with read_connection().cursor() as cursor:
            cursor.execute("DELETE FROM customer")

    with pytest.raises(InternalError, match="read-only"):
        change()


@pytest.mark.parametrize("seconds", [5.1, 3600.0, None], ids=["lagging", "disconnected", "promoted"])
def test_a_replica_that_lags_or_is_none_any_more_is_not_read(lag: list[float | None], seconds: float | None) -> None:
    lag[0] = seconds
    assert where_from_replica() != REPLICA_ALIAS
    lag[0] = 5.0
    assert where_from_replica() == REPLICA_ALIAS


def test_a_view_whose_replica_fails_meanwhile_runs_again_on_the_primary() -> None:
    places = []

    @from_replica
    def fail_on_the_replica() -> str:
        places.append(where())
        if places[-1] == REPLICA_ALIAS:
            raise OperationalError("terminating connection due to conflict with recovery")
        return "answer"

    assert fail_on_the_replica() == "answer"
    assert [place == REPLICA_ALIAS for place in places] == [True, False]
    assert where_from_replica() != REPLICA_ALIAS, "the replica is left alone for some seconds"


def test_a_replica_that_cannot_be_reached_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "replica_lag_seconds", replica_lag_seconds)
    connect_replica(monkeypatch, connections.settings[DEFAULT_DB_ALIAS] | {"HOST": "127.0.0.1", "PORT": "1"})
    assert where_from_replica() != REPLICA_ALIAS


def test_a_streamed_response_is_read_from_the_replica_to_its_end() -> None:
    @from_replica
    def stream() -> StreamingHttpResponse:
        return StreamingHttpResponse(where() for _ in range(3))

    assert list(stream()) == [REPLICA_ALIAS.encode()] * 3
    assert where() != REPLICA_ALIAS


def test_only_the_primary_is_migrated() -> None:
    router = ReplicaRouter()
    assert [router.allow_migrate(alias, "customers") for alias in (DEFAULT_DB_ALIAS, REPLICA_ALIAS)] == [True, False]
