"""Statements depend on no session, for PgBouncer, and those that name no storage unit are documented, for sharding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from benchmarks.at_scale.distribution import PACKAGES, distributed_tables, statements, statements_of

ROOT = Path(settings.BASE_DIR)
SCALING = (ROOT / "docs" / "scaling.md").read_text()
NEEDS_SESSION = {
    "an advisory lock of the session": r"pg_(try_)?advisory_lock",
    "a cursor that outlives its transaction": r"\bWITH HOLD\b",
    "a temporary table that outlives its transaction": r"CREATE TEMP(ORARY)? TABLE(?!.*ON COMMIT DROP)",
    "a notification": r"\"(LISTEN|UNLISTEN|NOTIFY) |pg_notify",
    "a setting of the session": r"\"SET (?!LOCAL|TRANSACTION|CONSTRAINTS)|set_config\([^)]*false\)",
}

# It connects to PostgreSQL directly, as docs/scaling.md requires, and behind PgBouncer sets nothing.
CONNECTED_DIRECTLY = "temperature_site/management/commands/migrate.py"


def code() -> dict[str, str]:
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    left_out = {"tests", "migrations", "conftest.py"}
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths if not left_out & set(path.parts)}


@pytest.mark.parametrize("pattern", NEEDS_SESSION.values(), ids=NEEDS_SESSION)
def test_no_statement_needs_a_session(pattern: str) -> None:
    found = [module for module, text in code().items() if re.search(pattern, text)]
    assert [module for module in found if module != CONNECTED_DIRECTLY] == []


def test_statements_that_name_no_unit_are_documented() -> None:
    found = {f"| `{each.module}` | `{each.name}` |" for each in statements(distributed_tables()) if not each.is_local}
    documented = set(re.findall(r"^\| `\w+/[\w/]+\.py` \| `\w+` \|", SCALING, re.MULTILINE))
    assert found == documented


def test_a_statement_is_found_in_any_string_but_a_docstring() -> None:
    source = '''
"""SELECT FROM reading"""
ALL = "SELECT count(*) FROM reading"
OF_UNIT = f"""
    SELECT {COLUMNS} FROM reading WHERE storage_unit_id = %s
"""
NO_TABLE_OF_OURS = "SELECT 1 FROM customer"
def delete():
    execute("DELETE FROM reading")
'''
    found = statements_of(source, "module.py", frozenset({"reading"}))
    assert [(each.name, each.is_local) for each in found] == [("ALL", False), ("OF_UNIT", True), ("delete", False)]
