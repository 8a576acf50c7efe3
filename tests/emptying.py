"""Empty the tables after a test that commits, much faster than Django's flush.

Flush truncates every table, with a new file for each, and then runs what follows a migration again: permissions,
triggers. Here rows are deleted, and those that the migrations had inserted are put back from copies.
"""

from __future__ import annotations

from django.db import connection
from django.test import TransactionTestCase

# The tables with rows after the migrations, in a schema of their own.
_COPY = """
CREATE SCHEMA as_migrated;
DO $$
DECLARE name text; has_rows boolean;
BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('CREATE TABLE as_migrated.%I AS TABLE public.%I', name, name);
        END IF;
    END LOOP;
END $$
"""
# Without triggers: neither foreign keys nor the audit trail matter where everything goes. The locks wait for requests
# that are still running.
_RESTORE = """
DO $$
DECLARE name text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        ORDER BY relname LOOP
        EXECUTE format('LOCK TABLE public.%I IN EXCLUSIVE MODE', name);
        EXECUTE format('DELETE FROM public.%I', name);
    END LOOP;
    FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'as_migrated'::regnamespace LOOP
        EXECUTE format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE TABLE as_migrated.%I', name, name);
    END LOOP;
END $$
"""


def keep_migrated_rows() -> None:
    """Remember the rows that exist now, and have tests that commit restore them instead of flushing."""
    with connection.cursor() as cursor:
        cursor.execute(_COPY)
    setattr(TransactionTestCase, "_fixture_teardown", _restore)  # noqa: B010  the type stubs do not know it


def _restore(_: TransactionTestCase) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_RESTORE)
