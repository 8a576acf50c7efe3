"""Migrations since the last release keep the processes of that release working while they are replaced.

`deploy/released_migrations.txt` names the last migration of each app in the last release. A migration that is known to
be safe although the linter objects states so with `django_migration_linter.IgnoreMigration`. Tables that were added
since that release may change freely: its processes do not know them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as django_migrate
from django.db import connection, models, transaction
from django.db.migrations import AddConstraint, AddField, AddIndex, CreateModel, Migration
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter
from django_migration_linter.sql_analyser.analyser import analyse_sql_statements
from django_migration_linter.sql_analyser.base import Issue

from temperature_site.management.commands import migrate
from temperature_site.models import Backup

ROOT = Path(settings.BASE_DIR)
RELEASED = dict(line.split() for line in (ROOT / "deploy" / "released_migrations.txt").read_text().splitlines())

# A migration that creates a function does not run it.
FUNCTION = re.compile(r"CREATE OR REPLACE FUNCTION.*?AS \$\$.*?\$\$", re.DOTALL)

pytestmark = pytest.mark.django_db


def linter() -> MigrationLinter:
    return MigrationLinter(str(ROOT), no_cache=True, no_output=True)


def newer_migrations() -> list[Migration]:
    loader = MigrationLoader(connection)
    return [
        migration
        for (app, name), migration in sorted(loader.disk_migrations.items())
        if app in RELEASED and name > RELEASED[app]
    ]


def new_tables() -> set[str]:
    operations = [operation for migration in newer_migrations() for operation in migration.operations]
    return {
        str(each.options["db_table"])
        for each in operations
        if isinstance(each, CreateModel) and each.options.get("db_table")
    }


def objections(migration: Migration) -> list[str]:
    """Return what old processes could not cope with, or what would lock a table while rows are rewritten."""
    checking = linter()
    if checking.should_ignore_migration(migration.app_label, migration.name, migration.operations):
        return []
    lines = "\n".join(checking.get_sql(migration.app_label, migration.name))
    statements = FUNCTION.sub("", lines).splitlines()
    added = new_tables()
    found = errors([each for each in statements if each.partition('"')[2].partition('"')[0] not in added])
    return [f"{migration.app_label}.{migration.name}: {error.message}" for error in found]


def errors(sql: list[str]) -> list[Issue]:
    found, _ignored, _warnings = analyse_sql_statements(linter().sql_analyser_class, sql, [])
    return list(found)


def test_each_app_of_the_list_has_the_named_migration() -> None:
    known = MigrationLoader(connection).disk_migrations
    assert [item for item in RELEASED.items() if item not in known] == []


def test_migrations_since_the_last_release_are_compatible_with_it() -> None:
    assert [objection for migration in newer_migrations() for objection in objections(migration)] == []


def test_migrations_since_the_last_release_create_no_index_of_an_older_table_while_it_is_locked() -> None:
    """It would be locked for as long as it takes to read: such an index is created concurrently."""
    operations = [(migration, each) for migration in newer_migrations() for each in migration.operations]
    new = {(migration.app_label, each.name_lower) for migration, each in operations if isinstance(each, CreateModel)}
    assert [
        f"{migration}: {each.describe()}"
        for migration, each in operations
        if isinstance(each, AddIndex | AddConstraint) and (migration.app_label, each.model_name_lower) not in new
    ] == []


def test_a_required_column_without_a_default_is_noticed() -> None:
    state = MigrationLoader(connection).project_state()

    class Required(Migration):
        operations = [AddField("backup", "machine", models.TextField())]

    with connection.schema_editor(collect_sql=True) as editor:
        Required("0099_required", "temperature_site").apply(state, editor, collect_sql=True)

    assert [error.code for error in errors(editor.collected_sql)] == ["NOT_NULL"]


class TestLocks:
    """A migration does not queue for a lock, with everybody else behind it, until a backup has ended."""

    @pytest.fixture
    def migrating(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bool], str]:
        """Run the command with this statement as its only migration; return the timeout that it leaves behind."""
        monkeypatch.setattr(migrate, "LOCK_SECONDS", 1)

        def run(statement: str, is_atomic: bool) -> str:
            class Only(Migration):
                atomic = is_atomic

            def apply(command: migrate.Command, **_options: object) -> None:
                only = Only("only", "temperature_site")
                command.migration_progress_callback("apply_start", only)
                with connection.cursor() as cursor:
                    cursor.execute(statement)
                command.migration_progress_callback("apply_success", only)

            monkeypatch.setattr(django_migrate.Command, "handle", apply)
            monkeypatch.setattr(django_migrate.Command, "migration_progress_callback", lambda *_: None)
            try:
                call_command("migrate")
                return shown_timeout()
            finally:
                connection.close()

        return run

    @pytest.mark.django_db(transaction=True)
    def test_a_table_in_use_ends_the_command(self, migrating: Callable[[str, bool], str]) -> None:
        with ThreadPoolExecutor(1) as pool, transaction.atomic():
            assert Backup.objects.count() == 0
            change = pool.submit(migrating, "ALTER TABLE backup ADD COLUMN machine text", True)
            with pytest.raises(CommandError, match="Run migrate again"):
                change.result(timeout=30)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(("is_atomic", "timeout"), [(True, "1s"), (False, "0")])
    def test_only_what_is_done_concurrently_waits_for_longer(
        self, migrating: Callable[[str, bool], str], is_atomic: bool, timeout: str
    ) -> None:
        statement = f"DO $$ BEGIN ASSERT current_setting('lock_timeout') = '{timeout}'; END $$"
        assert migrating(statement, is_atomic) == "0"


def shown_timeout() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return str(cursor.fetchone()[0])
