"""The entity-relationship diagram of the documentation, drawn from the models as Mermaid text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.apps import apps
from django.db import models

APPS = ("customers", "readings", "alarms", "ingestion", "temperature_site")
HEADER = """# Entity-relationship diagram

Generated from the models by `manage.py model_diagram --write`; a test checks that it is up to date. Every table is
listed with its keys; the other columns are in the models.

"""


def document() -> str:
    """Return the Markdown page with one diagram per app."""
    sections = (f"## {label}\n\n```mermaid\n{diagram(_models_with_tables(label))}```\n" for label in APPS)
    return HEADER + "\n".join(sections)


def _models_with_tables(label: str) -> Iterator[type[models.Model]]:
    return (model for model in apps.get_app_config(label).get_models() if not model._meta.proxy)


def diagram(model_classes: Iterable[type[models.Model]]) -> str:
    """Return the Mermaid `erDiagram` of these models: their keys, and their relations to any model."""
    lines = ["erDiagram\n"]
    for model in sorted(model_classes, key=lambda each: each._meta.db_table):
        lines += _entity(model)
        lines += _relations(model)
    return "".join(lines)


def _entity(model: type[models.Model]) -> Iterator[str]:
    yield f"    {model._meta.db_table} {{\n"
    for field in model._meta.concrete_fields:
        if field.primary_key and field.column:
            yield f"        {_type(field)} {field.column} PK\n"
        elif isinstance(field, models.ForeignKey):
            yield f"        {_type(field)} {field.column} FK\n"
        elif field.unique:
            yield f"        {_type(field)} {field.column} UK\n"
    yield "    }\n"


def _relations(model: type[models.Model]) -> Iterator[str]:
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and isinstance(field.related_model, type):
            one = "|o" if field.null else "||"
            many = "o|" if isinstance(field, models.OneToOneField) else "o{"
            yield f"    {field.related_model._meta.db_table} {one}--{many} {model._meta.db_table} : {field.name}\n"


def _type(field: models.Field[object, object]) -> str:
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    return target.get_internal_type().removesuffix("Field").lower()
