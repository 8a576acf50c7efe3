"""Workers keep their database connections from task to task."""

from __future__ import annotations

import pytest
from celery import Task, states
from celery.fixups.django import DjangoFixup
from django.db import OperationalError, connection

from temperature_site.celery import app, close_connections_of_failure, close_unusable_connections

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def backend_id(monkeypatch: pytest.MonkeyPatch) -> int:
    """Connect again, with a connection that may be kept for a minute, and return its process id."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    connection.close()
    return current_backend_id()


def current_backend_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


class Nothing(Task[[], None]):
    """A task of which only the request matters."""

    name = "nothing"


def run_task(state: str, *, is_eager: bool = False) -> None:
    """Do what Celery, its support of Django and this project do around a task."""
    Nothing.bind(app)
    task, fixup = Nothing(), DjangoFixup(app).worker_fixup
    task.push_request(is_eager=is_eager)  # type: ignore[call-arg]  # a field of the request, which the stubs omit
    try:
        close_unusable_connections(task=task)
        fixup.on_task_prerun(task)
        fixup.on_task_postrun(task)
        close_connections_of_failure(task=task, state=state)
    finally:
        task.pop_request()


def test_the_next_task_uses_the_same_connection(backend_id: int) -> None:
    run_task(states.SUCCESS)
    run_task(states.SUCCESS)
    assert current_backend_id() == backend_id


def test_a_failed_task_leaves_no_connection(backend_id: int) -> None:
    run_task(states.FAILURE)
    assert connection.connection is None


def test_a_connection_that_was_terminated_is_replaced(backend_id: int) -> None:
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    run_task(states.SUCCESS)
    assert current_backend_id() != backend_id


def test_an_old_connection_is_replaced(backend_id: int) -> None:
    connection.close_at = 0
    run_task(states.SUCCESS)
    assert current_backend_id() != backend_id


def test_a_task_that_its_caller_runs_leaves_the_callers_connection(backend_id: int) -> None:
    run_task(states.FAILURE, is_eager=True)
    assert current_backend_id() == backend_id


def test_a_task_waits_for_a_database_that_restarts(backend_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, refusals = connection.connect, iter([OperationalError("the system is starting up")] * 2)
    connection.close()

    def connect_at_last() -> None:
        for refusal in refusals:
            raise refusal
        connect()

    monkeypatch.setattr("temperature_site.celery.DATABASE_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(connection, "connect", connect_at_last)

    run_task(states.SUCCESS)

    assert next(refusals, None) is None
    assert current_backend_id() != backend_id


def test_a_task_runs_and_reports_a_database_that_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("no route to host")

    monkeypatch.setattr("temperature_site.celery.DATABASE_WAIT_SECONDS", 0.0)
    monkeypatch.setattr("temperature_site.celery.DATABASE_RETRY_SECONDS", 0.0)
    connection.close()
    with monkeypatch.context() as patched:
        patched.setattr(connection, "connect", refuse)
        run_task(states.SUCCESS)

    assert connection.connection is None
