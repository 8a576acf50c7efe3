"""`manage.py` ends with a sentence, instead of a traceback, if the cause is outside of the program."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError, connection

import manage
from core.db.conflicts import DataUnavailable

pytestmark = pytest.mark.django_db


def run_failing(monkeypatch: pytest.MonkeyPatch, error: Exception | str, *arguments: str) -> None:
    """Run a command that raises the error, or executes this SQL."""

    def execute(_: list[str]) -> None:
        if isinstance(error, Exception):
            raise error
        with connection.cursor() as cursor:
            cursor.execute(error)

    monkeypatch.setattr(manage, "execute_from_command_line", execute)
    monkeypatch.setattr("sys.argv", ["manage.py", "verify-trail", *arguments])
    manage.run()


@pytest.mark.parametrize("sql", ["SELECT FROM not_created_yet", "SELECT not_created_yet FROM customer"])
def test_a_database_that_was_not_migrated_is_said_to_be(monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    with pytest.raises(SystemExit, match=r"not_created_yet.*does not exist\)\. Run `manage\.py migrate` first"):
        run_failing(monkeypatch, sql)


def test_other_errors_in_sql_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProgrammingError, match="syntax error"):
        run_failing(monkeypatch, "SELECT 1 FROM WHERE")


def test_a_file_of_the_archive_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = DataUnavailable("The file 2026/06/a.parquet of the archive of readings is missing.")
    with pytest.raises(SystemExit, match=r"a\.parquet of the archive of readings is missing"):
        run_failing(monkeypatch, missing)
    with pytest.raises(DataUnavailable):
        run_failing(monkeypatch, missing, "--traceback")
