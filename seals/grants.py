"""The rights under which the application's database role can add to the records but neither change nor delete them."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.db import connection, models

# Tables that the application adds to through a function with the rights of its owner.
_ADDED_TO_BY_FUNCTION = ("audit_entry",)


def grant_statements(role: str) -> Iterator[str]:
    """Yield the statements that grant `role` what the application needs, for the owner of the tables to run.

    The role must neither own the tables nor be a superuser: an owner can grant itself anything. They may be run again,
    and must be after an update that adds tables.
    """
    quoted = '"' + role.replace('"', '""') + '"'
    schema = "public"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {quoted};"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {quoted};"
    yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {quoted};"
    yield f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {quoted};"
    for table in append_only_tables():
        revoked = "UPDATE, DELETE, TRUNCATE"
        if table in _ADDED_TO_BY_FUNCTION:
            revoked = f"INSERT, {revoked}"
        yield f"REVOKE {revoked} ON {connection.ops.quote_name(table)} FROM {quoted};"


def append_only_tables() -> list[str]:
    """Return the tables whose rows are only ever added."""
    return sorted(model._meta.db_table for model in apps.get_models() if is_append_only(model))


def is_append_only(model: type[models.Model]) -> bool:
    """Return whether rows of the model are only ever added."""
    return bool(getattr(model, "APPEND_ONLY", False))
