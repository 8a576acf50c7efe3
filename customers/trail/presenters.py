"""Entries of the audit trail for pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from django.apps import apps

from audit.models import AuditEntry

NOTHING = "–"
MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Change:
    """A column's value before and after, as text."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class EntryPresenter:
    """An entry with its texts."""

    entry: AuditEntry

    @property
    def who(self) -> str:
        """The actor's name, as it was at the time."""
        entry = self.entry
        if entry.actor_kind == AuditEntry.ActorKind.ANONYMOUS:
            return "Not signed in"
        return entry.actor_display_name or entry.actor_name

    @property
    def who_exactly(self) -> str:
        """What identifies the actor, unless that is the name already."""
        entry = self.entry
        kind = entry.get_actor_kind_display()
        return kind if entry.actor_name in ("", self.who) else f"{kind} {entry.actor_name}"

    @property
    def what(self) -> str:
        """What was changed, in words."""
        return model_label(self.entry.model)

    @property
    def where(self) -> str:
        """From where: the kind of entrance and its route, task or command."""
        return f"{self.entry.get_origin_display()} {self.entry.process}".strip()

    @property
    def changes(self) -> list[Change]:
        """The columns that differ. Of a created or deleted row those that have a value."""
        before, after = self.entry.before or {}, self.entry.after or {}
        changes = [
            Change(column_label(self.entry.model, name), value_text(before.get(name)), value_text(after.get(name)))
            for name in sorted(before.keys() | after.keys())
        ]
        return [change for change in changes if (change.before, change.after) != (NOTHING, NOTHING)]


def present_entries(entries: Iterable[AuditEntry]) -> list[EntryPresenter]:
    """Return these entries with their texts."""
    return [EntryPresenter(entry) for entry in entries]


@cache
def model_label(label: str) -> str:
    """Return the name of a model for people; models that no longer exist are named as they were recorded."""
    try:
        return str(apps.get_model(label)._meta.verbose_name)
    except (LookupError, ValueError):
        return label.rpartition(".")[2]


def column_label(model: str, column: str) -> str:
    """Return the name of a column for people."""
    return _column_labels(model).get(column) or column.replace("_", " ")


@cache
def _column_labels(label: str) -> dict[str, str]:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return {}
    return {field.attname: str(field.verbose_name) for field in model._meta.concrete_fields}


def value_text(value: object) -> str:
    """Return a recorded value for people."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = str(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
