"""Entries of the audit trail for pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from django.apps import apps

from audit.models import AuditEntry

NOTHING = "–"
MAX_TEXT = 200

# What follows the name of a column that is stored in this unit.
UNITS = {"_c": ", °C", "_k": ", K", "_seconds": ", s"}


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
        if entry.actor_kind == AuditEntry.ActorKind.PROCESS:
            return "System"
        return entry.actor_display_name or entry.actor_name

    @property
    def who_exactly(self) -> str:
        """What identifies the actor, unless that is the name already."""
        entry = self.entry
        if entry.actor_kind == AuditEntry.ActorKind.PROCESS:
            return process_label(entry.actor_name)
        kind = entry.get_actor_kind_display()
        return kind if entry.actor_name in ("", self.who) else f"{kind} {entry.actor_name}"

    @property
    def title(self) -> str:
        """What was done, and to what kind of object if it was one."""
        done, what = self.entry.get_action_display().capitalize(), model_label(self.entry.model)
        return f"{done}: {what}" if what else done

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


def process_label(name: str) -> str:
    """Return the name of a task or command for people: "poll source" for `ingestion.tasks.poll_source`."""
    return name.rpartition(".")[2].replace("_", " ")


def column_label(model: str, column: str) -> str:
    """Return the name of a column for people."""
    return _column_labels(model).get(column) or column.replace("_", " ")


@cache
def _column_labels(label: str) -> dict[str, str]:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return {}
    return {field.attname: _field_label(field.name, str(field.verbose_name)) for field in model._meta.concrete_fields}


def _field_label(name: str, verbose_name: str) -> str:
    """Return a field's name for people; if its verbose name is made from its name, followed by the unit."""
    if verbose_name == name.replace("_", " "):
        for suffix, unit in UNITS.items():
            if name.endswith(suffix):
                return verbose_name.removesuffix(suffix.replace("_", " ")) + unit
    return verbose_name


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
