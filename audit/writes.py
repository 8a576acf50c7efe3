"""Send the context along with every statement that may write an audited table.

It is set for the transaction only, in front of the statement and together with it, so it costs no query of its own, and
statements that only read cost a look at their beginning. A pooled connection cannot keep the context of another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2.extensions import QuotedString

from audit.context import current_context, json_text
from audit.declarations import DELETE, INSERT, UPDATE
from audit.functions import CONTEXT_SETTING, REASON_CONSTRAINT
from audit.triggers import audited_tables

Result = TypeVar("Result")


class ReasonRequired(ValidationError):  # noqa: N818 - reads better where it is caught
    """The customer requires a reason for this change, and none was stated."""

    def __init__(self) -> None:
        super().__init__({"reason": ["This customer requires a reason for this change."]})


def watch_connection(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Send the context along on this connection; called whenever it connects."""
    if send_context not in connection.execute_wrappers:
        connection.execute_wrappers.append(send_context)


def send_context(
    execute: Callable[[str, object, bool, dict[str, object]], Result],
    sql: str,
    params: object,
    many: bool,
    context: dict[str, object],
) -> Result:
    """Execute the statement, with the context in front if it may write an audited table. Raise ReasonRequired."""
    if many or not writes_audited_table(sql):
        return execute(sql, params, many, context)
    try:
        return execute(f"{context_statement(is_formatted=params is not None)}; {sql}", params, many, context)
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        if diagnosis is not None and diagnosis.constraint_name == REASON_CONSTRAINT:
            raise ReasonRequired from error
        raise


def writes_audited_table(sql: str) -> bool:
    """Return whether the statement may write an audited table, or an event."""
    at_start, within = _patterns()
    return at_start.match(sql) is not None or (sql.lstrip()[:4].upper() == "WITH" and _is_found(within, sql))


def context_statement(*, is_formatted: bool) -> str:
    """Return the statement that sets the current context; `is_formatted`: psycopg replaces % in it."""
    quoted = QuotedString(json_text(current_context().as_json()))
    quoted.encoding = "utf-8"
    literal = quoted.getquoted().decode()
    return f"SELECT set_config('{CONTEXT_SETTING}', {literal.replace('%', '%%') if is_formatted else literal}, true)"


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    # Rows that storing inserts are not recorded, only what would falsify them.
    inserted, changed = "|".join(audited_tables(INSERT)), "|".join(audited_tables(UPDATE, DELETE))
    write = rf'(?:INSERT INTO\s+"?(?:{inserted})\b|(?:UPDATE|DELETE FROM)\s+(?:ONLY\s+)?"?(?:{changed})\b)'
    return re.compile(rf"\s*(?:{write}|SELECT audit_append\b)", re.IGNORECASE), re.compile(write, re.IGNORECASE)


# Statements with WITH are constants of some length.
@lru_cache(maxsize=200)
def _is_found(pattern: re.Pattern[str], sql: str) -> bool:
    return pattern.search(sql) is not None
