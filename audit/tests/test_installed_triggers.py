"""Triggers and functions that are missing, disabled or not as declared are noticed, and installed again."""

from __future__ import annotations

import pytest
from django.db import connection

from audit.triggers import changed_definitions, install_triggers, missing_triggers, unknown_triggers

pytestmark = pytest.mark.django_db


def test_a_disabled_trigger_is_noticed_and_installed_again() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE customer DISABLE TRIGGER audit_update; DROP TRIGGER audit_insert ON channel")

    assert missing_triggers() == ["channel: audit_insert", "customer: audit_update"]
    install_triggers()
    assert missing_triggers() == []


REPLACED = """
CREATE OR REPLACE FUNCTION audit_record_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' AS 'BEGIN RETURN NULL; END';
"""
RECREATED = """
DROP TRIGGER audit_update ON customer;
CREATE TRIGGER audit_update AFTER UPDATE ON customer FOR EACH ROW WHEN (false) EXECUTE FUNCTION audit_record_change();
"""


@pytest.mark.parametrize(
    ("sql", "changed"),
    [
        (REPLACED, "function audit_record_change()"),
        ("ALTER FUNCTION audit_record_change() RESET search_path", "function audit_record_change()"),
        (
            "DROP FUNCTION audit_is_withdrawn(integer, timestamptz, integer, timestamptz) CASCADE",
            "function audit_is_withdrawn(integer, timestamptz, integer, timestamptz)",
        ),
        (RECREATED, "trigger customer: audit_update"),
    ],
    ids=["another body", "another search path", "dropped", "another condition"],
)
def test_what_is_not_as_declared_is_noticed_and_installed_again(sql: str, changed: str) -> None:
    assert changed_definitions() == []
    with connection.cursor() as cursor:
        cursor.execute(sql)

    assert changed_definitions() == [changed]
    install_triggers()
    assert changed_definitions() == []


FOREIGN = """
CREATE FUNCTION warmer() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.temperature_c := 5; RETURN NEW; END';
CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION warmer()
"""


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (FOREIGN.format(name="warmer", table="reading"), "trigger reading: warmer"),
        (FOREIGN.format(name="audit_late", table="audit_entry"), "trigger audit_entry: audit_late"),
        ("CREATE RULE quiet AS ON INSERT TO audit_entry DO INSTEAD NOTHING", "rule audit_entry: quiet"),
    ],
    ids=["a trigger", "a trigger with such a name", "a rule"],
)
def test_what_is_not_declared_is_noticed_on_a_table_that_is_watched(sql: str, found: str) -> None:
    assert unknown_triggers() == []
    with connection.cursor() as cursor:
        cursor.execute(sql)

    assert unknown_triggers() == [found]


def test_a_foreign_trigger_of_a_partition_is_noticed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE own PARTITION OF reading FOR VALUES FROM ('2001-01-01') TO ('2001-02-01')")
        cursor.execute(FOREIGN.format(name="warmer", table="own"))

    assert unknown_triggers() == ["trigger own: warmer"]
