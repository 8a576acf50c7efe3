"""Who makes a change: what a unit of work says, or the process that it runs in."""

from __future__ import annotations

import pytest

from audit.context import (
    Actor,
    AuditContext,
    acting_as,
    begin_work,
    command_name,
    current_context,
    end_work,
    stating_reason,
    task_context,
)
from audit.writes import writes_audited_table

ANNA = Actor("person", "anna", 5, "Anna Smith")


def test_a_context_is_made_only_when_it_is_needed() -> None:
    made: list[str] = []

    def make() -> AuditContext:
        made.append("made")
        return AuditContext(ANNA, "page")

    work = begin_work(make)
    assert made == []
    assert current_context().actor == ANNA
    end_work(work)

    assert current_context().actor.kind == "process"


def test_an_actor_and_a_reason_apply_within_their_block() -> None:
    work = begin_work(lambda: task_context("ingestion.tasks.poll_source"))
    with acting_as(ANNA), stating_reason(" Moved. "):
        inside = current_context()
    after = current_context()
    end_work(work)

    assert (inside.actor, inside.origin, inside.reason) == (ANNA, "task", "Moved.")
    assert (after.actor.name, after.reason) == ("ingestion.tasks.poll_source", "")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["/srv/manage.py", "create_token", "--name", "canary"], "manage.py create_token"),
        (["/usr/bin/celery", "-A", "temperature_site", "worker"], "celery"),
        (["/usr/lib/python3/pytest/__main__.py"], "pytest"),
        ([""], "python"),
        ([], "python"),
    ],
)
def test_a_process_is_named_after_its_command_without_arguments(arguments: list[str], name: str) -> None:
    assert command_name(arguments) == name


@pytest.mark.parametrize("address", ["", "unix:", "not an address"])
def test_what_is_no_address_is_left_out(address: str) -> None:
    assert AuditContext(ANNA, "page", address=address).as_json()["address"] is None


@pytest.mark.parametrize(
    ("sql", "is_audited"),
    [
        ('UPDATE "customer" SET name = %s', True),
        ("\n    INSERT INTO source (name) VALUES (%s)", True),
        ('DELETE FROM "membership" WHERE id IN (%s)', True),
        ("WITH due AS (SELECT id FROM source) UPDATE source SET claim_id = %s", True),
        ("SELECT audit_append(%(action)s)", True),
        ('SELECT * FROM "customer" FOR UPDATE', False),
        ('UPDATE "customer_stuff" SET name = %s', False),
        ("INSERT INTO reading (recorded_at) VALUES (%s)", False),
        ("UPDATE reading SET temperature_c = %s", True),
        ("INSERT INTO latest_reading (recorded_at) VALUES (%s)", False),
        ("WITH new AS (INSERT INTO reading_staging SELECT 1) SELECT 1", False),
    ],
)
def test_the_context_is_sent_with_statements_that_write_audited_tables(sql: str, is_audited: bool) -> None:
    assert writes_audited_table(sql) is is_audited
