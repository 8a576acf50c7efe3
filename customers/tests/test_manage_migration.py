"""The migration that adds the permission `manage` applies to databases with tokens, in both directions.

Test databases have the squashed migration, so the one it replaces is applied here to its table as it is today.
"""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from customers.models import ApiToken
from tests.factories import make_token

pytestmark = pytest.mark.django_db


def state_before_and_migration() -> tuple[ProjectState, Migration]:
    loader = MigrationLoader(connection, replace_migrations=False)
    state = loader.project_state(("customers", "0014_second_factor"))
    return state, loader.get_migration("customers", "0015_manage_permission")


def begin() -> None:
    """Have no checks pending, and those of later changes deferred, as at the beginning of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def unapply(state: ProjectState, migration: Migration) -> None:
    begin()
    with connection.schema_editor(atomic=False) as editor:
        migration.unapply(state.clone(), editor)


def apply(state: ProjectState, migration: Migration) -> None:
    begin()
    with connection.schema_editor(atomic=False) as editor:
        migration.apply(state.clone(), editor)


def permissions_of(token: ApiToken) -> list[str]:
    return ApiToken.objects.values_list("permissions", flat=True).get(pk=token.pk)


def test_tokens_that_write_receive_it() -> None:
    writing, _ = make_token(permissions=["read", "write"])
    reading, _ = make_token(permissions=["read"])
    state, migration = state_before_and_migration()
    unapply(state, migration)

    apply(state, migration)

    assert (permissions_of(writing), permissions_of(reading)) == (["read", "write", "manage"], ["read"])


def test_it_is_taken_from_tokens_again() -> None:
    both, _ = make_token(permissions=["read", "manage"])
    make_token(permissions=["manage"])
    state, migration = state_before_and_migration()

    unapply(state, migration)

    with connection.cursor() as cursor:
        cursor.execute("SELECT id, permissions FROM api_token")
        assert cursor.fetchall() == [(both.pk, ["read"])]
