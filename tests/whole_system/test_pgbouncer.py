"""Statements work through PgBouncer in transaction mode, whichever of its connections to PostgreSQL serves them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, connections
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.utils import OperationalError
from pytest_django import Settings

from core.db import replica
from core.db.prepared import Prepared
from core.db.replica import REPLICA_ALIAS, from_replica
from faults.cluster.servers import PgBouncer
from temperature_site.conf.services import database_settings

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("pgbouncer"), reason="PgBouncer is not installed (Debian's `pgbouncer`)."),
]

STATEMENT = Prepared("SELECT pg_backend_pid(), %s::int")


@pytest.fixture
def bouncer() -> Iterator[PgBouncer]:
    """Start a PgBouncer with two connections to the test database."""
    database = connection.settings_dict
    given = {"host": database["HOST"], "port": database["PORT"], "user": database["USER"], "dbname": database["NAME"]}
    server = " ".join(f"{name}={value}" for name, value in given.items() if value)
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        # It runs as another user than root.
        folder.chmod(0o755)
        started = PgBouncer(folder, server, pool_size=2)
        started.start()
        yield started
        started.kill()


@pytest.fixture
def pooled(bouncer: PgBouncer, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[None]:
    """Read through PgBouncer inside `from_replica`."""
    given = connections.settings["default"] | database_settings(bouncer.url, behind_pgbouncer=True)
    monkeypatch.setitem(connections.settings, REPLICA_ALIAS, given)
    # pytest-django refuses connections that its settings do not have, except by this name.
    connections[REPLICA_ALIAS] = type(connections["default"])(given, NO_DB_ALIAS)
    monkeypatch.setattr(replica, "is_replica_usable", lambda: True)
    settings.PGBOUNCER = True
    yield
    connections[REPLICA_ALIAS].close()
    del connections[REPLICA_ALIAS]


def run_on_both_connections(bouncer: PgBouncer) -> set[int]:
    """Run the statement twice, the second time while another client holds the connection of the first."""
    run = from_replica(lambda: STATEMENT.rows([7]))
    [(first, _)] = run()
    other = type(connections["default"])(connections.settings[REPLICA_ALIAS], NO_DB_ALIAS)
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_backend_pid()")
            [(held,)] = cursor.fetchall()
            [(second, value)] = run()
    finally:
        other.close()
    assert (held, value) == (first, 7)
    return {first, second}


@pytest.mark.usefixtures("pooled")
def test_a_prepared_statement_runs_on_any_of_its_connections(bouncer: PgBouncer) -> None:
    assert len(run_on_both_connections(bouncer)) == 2


@pytest.mark.usefixtures("pooled")
def test_without_the_setting_the_connection_is_refused(bouncer: PgBouncer) -> None:
    direct = type(connections["default"])(connections.settings["default"] | database_settings(bouncer.url), NO_DB_ALIAS)
    with pytest.raises(OperationalError, match="unsupported startup parameter"):
        direct.ensure_connection()
