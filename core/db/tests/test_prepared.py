"""A prepared statement gives the same rows as the plain one, on any connection and after any error."""

from __future__ import annotations

import threading

import pytest
from django.db import NotSupportedError, ProgrammingError, connection, transaction
from pytest_django import DjangoAssertNumQueries, Settings

from core.db.prepared import Prepared
from tests.factories import CustomerFactory

ADD = "SELECT %s::int + 1, '100 %%'"


def prepared_statements() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
def test_a_statement_is_prepared_once_per_connection(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    statement, before = Prepared(ADD), prepared_statements()
    with django_assert_num_queries(3):
        assert [statement.rows([number]) for number in range(3)] == [[(number + 1, "100 %")] for number in range(3)]
    assert prepared_statements() == before + 1


@pytest.mark.django_db
def test_a_statement_is_planned_once_whatever_its_parameters_are() -> None:
    statement = Prepared("SELECT customer_code FROM customer WHERE id = ANY(%s::int[])")
    for numbers in ([1], [1, 2], list(range(500))):
        statement.rows([numbers])
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements ORDER BY prepare_time DESC")
        assert cursor.fetchone() == (3, 0)


@pytest.mark.django_db
def test_a_statement_may_have_no_parameters() -> None:
    assert Prepared("SELECT 'all', 7 %% 4").rows() == [("all", 3)]


@pytest.mark.django_db
@pytest.mark.parametrize("is_behind_pgbouncer", [False, True])
def test_a_named_parameter_may_occur_several_times(settings: Settings, is_behind_pgbouncer: bool) -> None:
    settings.PGBOUNCER = is_behind_pgbouncer
    statement = Prepared("SELECT %(b)s::text AS second, %(a)s::int AS first, %(b)s || '%%' AS share, 7 %% 4 AS rest")
    assert statement.table({"a": 1, "b": "5", "c": "not asked for"}) == (
        ["second", "first", "share", "rest"], [("5", 1, "5%", 3)],
    )  # fmt: skip


@pytest.mark.django_db
def test_behind_pgbouncer_nothing_is_prepared(settings: Settings) -> None:
    settings.PGBOUNCER = True
    before = prepared_statements()
    assert Prepared(ADD).rows([1]) == [(2, "100 %")]
    assert prepared_statements() == before


@pytest.mark.django_db(transaction=True)
def test_a_statement_stays_prepared_after_a_rollback() -> None:
    CustomerFactory(customer_code="A")
    statement = Prepared("SELECT customer_code FROM customer")
    with transaction.atomic():
        assert statement.rows() == [("A",)]
        transaction.set_rollback(True)
    assert statement.rows() == [("A",)]


@pytest.mark.django_db(transaction=True)
def test_every_connection_prepares_its_own_statement() -> None:
    statement = Prepared(ADD)
    given: list[list[tuple[object, ...]]] = [[]]
    assert statement.rows([1]) == [(2, "100 %")]

    def ask() -> None:
        given[0] = statement.rows([2])
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    connection.close()

    assert given == [[(3, "100 %")]]
    assert statement.rows([3]) == [(4, "100 %")]


@pytest.mark.django_db(transaction=True)
def test_after_a_table_change_a_statement_is_prepared_again() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE changing AS SELECT 1 AS one")
    try:
        statement = Prepared("SELECT * FROM changing")
        assert statement.rows() == [(1,)]
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE changing ADD two integer")

        with pytest.raises(NotSupportedError, match="cached plan"):
            statement.rows()
        assert statement.rows() == [(1, None)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE changing")


@pytest.mark.django_db(transaction=True)
def test_an_invalid_statement_raises_the_usual_error() -> None:
    with pytest.raises(ProgrammingError, match="does not exist"):
        Prepared("SELECT * FROM nowhere").rows()
