"""The statements that name no storage unit, for sharding by unit: `python -m benchmarks.at_scale.distribution`.

Each of them would run on every shard. Reads the SQL in the code, without a database; the queries of the ORM are not
read. A statement names the unit if its text has the column by which its table would be distributed, or joins a table
that does by it.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "audit", "customers", "readings", "seals", "alarms", "ingestion", "temperature_site")
DISTRIBUTION_KEY = "storage_unit_id"
# Not models, but tables all the same.
OTHER_TABLES = frozenset({"reading", "future_reading"})
BEGINNING = re.compile(r"^\s*(WITH|SELECT|INSERT|UPDATE|DELETE|COPY|TRUNCATE)\b", re.MULTILINE)
TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|COPY|TRUNCATE)\s+(?:ONLY\s+)?(\w+)")


@dataclass(frozen=True, order=True)
class Statement:
    """A statement in the code and the distributed tables that it reads or writes."""

    module: str
    line: int
    name: str
    tables: tuple[str, ...]
    text: str

    @property
    def is_local(self) -> bool:
        """Whether it names the unit, so that Citus can send it to that unit's shard only."""
        return DISTRIBUTION_KEY in self.text


def distributed_tables() -> frozenset[str]:
    """Return the tables that have the distribution key. Django must be set up."""
    from django.apps import apps

    models = apps.get_models(include_auto_created=True)
    keyed = {model._meta.db_table for model in models if _has_key(model)}
    return frozenset(keyed) | OTHER_TABLES


def _has_key(model: object) -> bool:
    fields = getattr(model, "_meta").concrete_fields  # noqa: B009  any model
    return any(field.column == DISTRIBUTION_KEY for field in fields)


def statements(tables: frozenset[str]) -> list[Statement]:
    """Return the code's statements about distributed tables, in order of modules and lines."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not {"tests", "migrations"} & set(path.parts):
                found += statements_of(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)), tables)
    return found


def statements_of(source: str, module: str, tables: frozenset[str]) -> list[Statement]:
    """Return the statements about these tables in the source text of a module."""
    found = []
    for name, node in _strings(ast.parse(source)):
        text = _text(node)
        named = tuple(sorted(set(TABLE.findall(text)) & tables))
        if named and BEGINNING.search(text):
            found.append(Statement(module, node.lineno, name, named, text))
    return found


def _strings(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield each string that is no docstring, with the name that it is assigned to, or of the function around it."""
    for top in tree.body:
        names = top.targets if isinstance(top, ast.Assign) else []
        name = names[0].id if names and isinstance(names[0], ast.Name) else getattr(top, "name", "")
        inside = {id(part) for node in ast.walk(top) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        docs = {id(node.value) for node in ast.walk(top) if isinstance(node, ast.Expr)}
        for node in ast.walk(top):
            if id(node) in docs:
                continue
            is_plain = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside
            if isinstance(node, ast.expr) and (is_plain or isinstance(node, ast.JoinedStr)):
                yield name, node


def _text(node: ast.expr) -> str:
    """Return the text of a string; of a formatted one, with "{}" for each value."""
    if not isinstance(node, ast.JoinedStr):
        return str(node.value) if isinstance(node, ast.Constant) else ""
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def main() -> None:
    """Print the statements without the key, and how many there are with it."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")
    django.setup()
    found = statements(distributed_tables())
    lacking = [statement for statement in found if not statement.is_local]
    for each in lacking:
        print(f"{each.module}:{each.line} {each.name}: {', '.join(each.tables)}")
    print(f"{len(lacking)} of {len(found)} statements name no storage unit.")


if __name__ == "__main__":
    main()
