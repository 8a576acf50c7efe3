"""Install the triggers that write the audit trail, as `audit.declarations` lists them.

It is done after each migration, not by one: so a column that is added later is recorded without further steps, and no
migration has to know every app. A column may still be renamed, retyped or removed, as conditions compare whole rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import structlog
from django.apps import apps
from django.db import connections, models, transaction
from django.db.backends.utils import CursorWrapper

from audit.declarations import AUDITED, DELETE, UPDATE, AuditedModel
from audit.functions import FORMER_FUNCTIONS, FUNCTIONS, function_statements

logger = structlog.get_logger(__name__)

KEEP_ENTRIES = """CREATE TRIGGER audit_keep_entries BEFORE UPDATE OR DELETE ON audit_entry
FOR EACH STATEMENT EXECUTE FUNCTION audit_keep_entries()"""
KEEP_USER_NAME = """CREATE TRIGGER audit_keep_user_name AFTER INSERT OR UPDATE ON auth_user
FOR EACH ROW EXECUTE FUNCTION audit_keep_user_name()"""
RECORD_WITHDRAWALS = """CREATE TRIGGER audit_record_withdrawals AFTER INSERT ON reading_revision
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_record_withdrawals()"""
# The names of accounts that are older than the trigger.
GIVEN_USER_NAMES = """
INSERT INTO given_user_name (name, user_id) SELECT lower(normalize(username, NFKC)), id FROM auth_user ORDER BY id
ON CONFLICT DO NOTHING
"""
INSTALLED = "SELECT obj_description(to_regprocedure(%s), 'pg_proc')"
EXISTING_TABLES = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(quote_ident(name)) IS NOT NULL"
TRIGGERS = """
SELECT relation.relname, trigger.tgname, trigger.tgenabled = 'O' FROM pg_trigger AS trigger
JOIN pg_class AS relation ON relation.oid = trigger.tgrelid
WHERE trigger.tgname LIKE 'audit\\_%' AND relation.relnamespace = current_schema()::regnamespace
"""
# Of these tables and their partitions, which have copies of the tables' triggers. Internal are those of foreign keys.
OWN_TRIGGERS_AND_RULES = """
WITH watched AS (
    SELECT relation.oid, relation.relname FROM pg_class AS relation
    LEFT JOIN (pg_inherits JOIN pg_class AS parent ON parent.oid = inhparent) ON inhrelid = relation.oid
    WHERE relation.relnamespace = current_schema()::regnamespace
        AND coalesce(parent.relname, relation.relname) = ANY(%s)
)
SELECT relname, 'trigger', tgname FROM watched JOIN pg_trigger ON tgrelid = watched.oid
WHERE NOT tgisinternal AND tgparentid = 0
UNION ALL SELECT relname, 'rule', rulename FROM watched JOIN pg_rewrite ON ev_class = watched.oid
"""
# A temporary table hides the one that it is made like, so that triggers are created on it without locking that one.
DECLARED_TABLE = 'CREATE TEMPORARY TABLE "{0}" (LIKE "{0}") ON COMMIT DROP'
CHANGED_FUNCTIONS = """
SELECT signature, to_regprocedure(signature) IS NULL FROM unnest(%s::text[]) AS signature
WHERE regexp_replace(pg_get_functiondef(to_regprocedure(signature)), '^[^(]*', '')
    IS DISTINCT FROM regexp_replace(pg_get_functiondef(to_regprocedure('pg_temp.' || signature)), '^[^(]*', '')
"""
# Partitions have copies, which cannot differ.
CHANGED_TRIGGERS = """
WITH definition AS (
    SELECT relname, tgname, relnamespace = pg_my_temp_schema() AS is_declared,
        regexp_replace(pg_get_triggerdef(trigger.oid), ' ON [^ ]*\\.', ' ON ') AS text
    FROM pg_trigger AS trigger
    JOIN pg_class AS relation ON relation.oid = trigger.tgrelid
    WHERE trigger.tgparentid = 0 AND relnamespace IN (current_schema()::regnamespace, pg_my_temp_schema())
)
SELECT relname, tgname FROM definition AS declared JOIN definition AS installed USING (relname, tgname)
WHERE declared.is_declared AND NOT installed.is_declared AND declared.text <> installed.text
"""
# Of the functions. After a partial migration they may not exist yet.
REQUIRED_TABLES = {"audit_entry", "api_token", "auth_user"}
_VERSIONED = next(iter(FUNCTIONS))


def install_triggers(using: str = "default", **_: object) -> None:
    """Create the functions and triggers in this database unless they are in place as declared."""
    connection = connections[using]
    with connection.cursor() as cursor:
        tables = _existing_tables(cursor)
        if not tables >= REQUIRED_TABLES:
            return
        statements = list(_statements(tables, _schema(cursor)))
        fingerprint = sha256("\n".join(statements).encode()).hexdigest()
        cursor.execute(INSTALLED, [_VERSIONED])
        if cursor.fetchone() == (fingerprint,) and not (missing_triggers(using) or changed_definitions(using)):
            return
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        cursor.execute(f"COMMENT ON FUNCTION {_VERSIONED} IS '{fingerprint}'")
    logger.info("audit triggers installed", tables=len(tables))


def missing_triggers(using: str = "default") -> list[str]:
    """Return the triggers that are declared but missing or disabled, each as "table: trigger"."""
    declared = _declared_triggers()
    with connections[using].cursor() as cursor:
        cursor.execute(EXISTING_TABLES, [sorted({table for table, _ in declared})])
        existing = {name for (name,) in cursor.fetchall()}
        cursor.execute(TRIGGERS)
        rows = cursor.fetchall()
    enabled = {(table, name) for table, name, is_enabled in rows if is_enabled}
    # Partitions have copies, which can be disabled, too.
    disabled = {(table, name) for table, name, is_enabled in rows if not is_enabled}
    missing = {(table, name) for table, name in declared - enabled if table in existing}
    return sorted(f"{table}: {name}" for table, name in missing | disabled)


def unknown_triggers(using: str = "default") -> list[str]:
    """Return the undeclared triggers and rules of watched tables, each with its kind: they could change rows unseen."""
    declared = _declared_triggers()
    with connections[using].cursor() as cursor:
        cursor.execute(OWN_TRIGGERS_AND_RULES, [sorted({table for table, _ in declared})])
        return sorted(
            f"{kind} {table}: {name}"
            for table, kind, name in cursor.fetchall()
            if kind == "rule" or (table, name) not in declared
        )


def _declared_triggers() -> set[tuple[str, str]]:
    """Return all triggers by table and name."""
    return {(table_of(each), name) for each in AUDITED for name in _trigger_names(each)} | {
        ("audit_entry", "audit_keep_entries"),
        ("auth_user", "audit_keep_user_name"),
        ("reading_revision", "audit_record_withdrawals"),
    }


def changed_definitions(using: str = "default") -> list[str]:
    """Return the functions that are missing or not as declared, and the triggers that are not, each with its kind.

    What is declared is created in the session's temporary schema, where PostgreSQL writes it as it does what is
    installed, and rolled back: by that the comparison is exact, and locks nothing that is in use.
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        tables = _existing_tables(cursor)
        if not tables >= REQUIRED_TABLES:
            return []
        for text in function_statements(_schema(cursor)):
            cursor.execute(text.replace("CREATE FUNCTION ", "CREATE FUNCTION pg_temp.", 1))
        cursor.execute(CHANGED_FUNCTIONS, [list(FUNCTIONS)])
        functions = cursor.fetchall()
        changed = [f"function {signature}" for signature, _ in functions]
        # Triggers cannot be created without the functions that they call.
        if not any(is_missing for _, is_missing in functions):
            for statement in [*map(DECLARED_TABLE.format, sorted(tables)), *_trigger_statements(tables)]:
                cursor.execute(statement)
            cursor.execute(CHANGED_TRIGGERS)
            changed += [f"trigger {table}: {name}" for table, name in sorted(cursor.fetchall())]
        transaction.set_rollback(True, using=using)
    return changed


def audited_tables(*operations: str) -> list[str]:
    """Return the tables of which one of these operations is recorded."""
    return sorted({table_of(each) for each in AUDITED if set(operations) & set(each.operations)})


def table_of(audited: AuditedModel) -> str:
    """Return the table of a listed model."""
    table: str = apps.get_model(audited.model)._meta.db_table
    return table


def _existing_tables(cursor: CursorWrapper) -> set[str]:
    """Return the tables with triggers that exist: after a partial migration, not all of them do."""
    cursor.execute(EXISTING_TABLES, [sorted({table_of(each) for each in AUDITED} | {"audit_entry"})])
    return {name for (name,) in cursor.fetchall()}


def _schema(cursor: CursorWrapper) -> str:
    cursor.execute("SELECT current_schema()")
    schema: str = cursor.fetchone()[0]
    return schema


def _statements(tables: set[str], schema: str) -> Iterator[str]:
    """Yield the statements that install everything on these tables, replacing what an earlier version installed."""
    for signature in (*FORMER_FUNCTIONS, *FUNCTIONS):
        # Dropping a function drops its triggers.
        yield f"DROP FUNCTION IF EXISTS {signature} CASCADE"
    yield from function_statements(schema)
    yield GIVEN_USER_NAMES
    yield from _trigger_statements(tables)


def _trigger_statements(tables: set[str]) -> Iterator[str]:
    yield KEEP_ENTRIES
    yield KEEP_USER_NAME
    if "reading_revision" in tables:
        yield RECORD_WITHDRAWALS
    for audited in AUDITED:
        if table_of(audited) in tables:
            yield from _triggers(audited)


def _trigger_names(audited: AuditedModel) -> list[str]:
    return [f"audit_{operation.lower()}" for operation in audited.operations]


def _triggers(audited: AuditedModel) -> Iterator[str]:
    model = apps.get_model(audited.model)
    arguments = ", ".join(_quoted(each) for each in _arguments(audited, model))
    for operation, name in zip(audited.operations, _trigger_names(audited), strict=True):
        condition = f" WHEN ({_is_changed(audited)})" if operation == UPDATE else ""
        if operation == DELETE and audited.unless:
            condition = f" WHEN (NOT {audited.unless})"
        yield (
            f'CREATE TRIGGER {name} AFTER {operation} ON "{model._meta.db_table}" FOR EACH ROW{condition}'
            f" EXECUTE FUNCTION audit_record_change({arguments})"
        )


def _is_changed(audited: AuditedModel) -> str:
    """Return the condition of updates. Columns that it names could not be retyped, so it compares rows if it may."""
    if audited.only:
        return " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in audited.only)
    if not audited.hot:
        return "to_jsonb(OLD) IS DISTINCT FROM to_jsonb(NEW)"
    hot = _array(audited.hot)
    return f"to_jsonb(OLD) - '{hot}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{hot}'::text[]"


def _arguments(audited: AuditedModel, model: type[models.Model]) -> list[str]:
    ways = getattr(model, "SCOPE", None)
    labels = ", ".join(f"nullif({lookup_sql(model, lookup, 'text')}, '')" for lookup in audited.label)
    customer = lookup_sql(model, audited.customer or (ways.customer if ways else None), "integer")
    unit = lookup_sql(model, audited.unit or (ways.unit if ways else None), "integer")
    subject = f"coalesce({labels}), {customer}, {unit}, {lookup_sql(model, audited.person, 'integer')}"
    keys = [field.attname for field in model._meta.pk_fields]
    return [
        audited.model,
        f"SELECT {subject}",
        *(_array(each) for each in (keys, audited.hot, audited.secret, audited.urls, audited.needs_reason)),
    ]


def lookup_sql(model: type[models.Model], lookup: str | None, sql_type: str) -> str:
    """Return the SQL expression of a lookup from the row $1, as JSON, through foreign keys; null if there is none."""
    if lookup is None:
        return f"NULL::{sql_type}"
    first, *others = lookup.split("__")
    if first not in {name for field in model._meta.concrete_fields for name in (field.name, field.attname)}:
        # A way against the direction of a foreign key leads to many rows.
        return f"NULL::{sql_type}"
    column, related = _column(model, first)
    expression = f"($1 ->> '{column}')"
    while others and related is not None:
        table, key = related._meta.db_table, related._meta.pk.attname
        column, related = _column(related, others.pop(0))
        expression = f'(SELECT "{column}" FROM "{table}" WHERE "{key}" = {expression}::integer)'  # noqa: S608  names
    return f"{expression}::{sql_type}"


def _column(model: type[models.Model], name: str) -> tuple[str, type[models.Model] | None]:
    """Return the column of a field, and the model that it refers to."""
    field = model._meta.get_field(name)
    if not isinstance(field, models.Field):
        raise TypeError(f"{model._meta.label}.{name} is no column.")
    related = field.related_model
    return field.get_attname_column()[1] or name, related if isinstance(related, type) else None


def _array(names: Sequence[str]) -> str:
    return "{" + ",".join(names) + "}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
