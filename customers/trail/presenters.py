"""Entries of the audit trail for pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from django.apps import apps
from django.db.models import DateTimeField, Field

from audit.models import AuditEntry
from customers.trail.selectors import latest_labels

NOTHING = "–"
MAX_TEXT = 200
# In other years a time may have no local one.
MIN_YEAR, MAX_YEAR = 1900, 9000

# What follows the name of a column that is stored in this unit.
UNITS = {"_c": ", °C", "_k": ", K", "_seconds": ", s"}


@dataclass(frozen=True, slots=True)
class Value:
    """A recorded value as text; of a time, the time itself as well."""

    text: str
    instant: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A column's values before and after; a single one of a created or deleted row."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class EntryPresenter:
    """An entry with its texts. `names`: those of the objects that it refers to, by model and id."""

    entry: AuditEntry
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)

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
        recorded = self._recorded()
        changes = [
            Change(column_label(self.entry.model, name), tuple(self._value(name, row.get(name)) for row in recorded))
            for name in sorted({name for row in recorded for name in row})
        ]
        return [change for change in changes if any(value.text != NOTHING for value in change.values)]

    def references(self) -> Iterable[tuple[str, str]]:
        """Return the model and the id of each object that a value refers to."""
        for row in self._recorded():
            for name, value in row.items():
                model = referenced_model(self.entry.model, name)
                if model and value is not None:
                    yield model, str(value)

    def _recorded(self) -> list[dict[str, object]]:
        return [row for row in (self.entry.before, self.entry.after) if row]

    def _value(self, column: str, value: object) -> Value:
        """Return a value of this column: followed by its id if it is the name of an object."""
        text = value_text(value)
        name = self.names.get((referenced_model(self.entry.model, column), text))
        return Value(f"{name} (ID {text})" if name else text, _instant(self.entry.model, column, value))


def present_entries(entries: Iterable[AuditEntry]) -> list[EntryPresenter]:
    """Return these entries with their texts. One query, if any refers to another object."""
    presenters = [EntryPresenter(entry) for entry in entries]
    ids: dict[str, set[str]] = defaultdict(set)
    for presenter in presenters:
        for model, object_id in presenter.references():
            ids[model].add(object_id)
    names = latest_labels(ids)
    return [EntryPresenter(presenter.entry, names) for presenter in presenters]


@cache
def model_label(label: str) -> str:
    """Return the name of a model for people; models that no longer exist are named as they were recorded."""
    try:
        return str(apps.get_model(label)._meta.verbose_name)
    except (LookupError, ValueError):
        return label.rpartition(".")[2]


def process_label(name: str) -> str:
    """Return the name of a task or command for people: "poll source" for `ingestion.tasks.poll_source`."""
    command = name.removeprefix("manage.py ")
    return command.rpartition(".")[2].replace("_", " ")


def column_label(model: str, column: str) -> str:
    """Return the name of a column for people."""
    return _column_labels(model).get(column) or column.replace("_", " ")


def referenced_model(model: str, column: str) -> str:
    """Return the model of the objects to which a column refers by their ids; "" for other columns."""
    related = _columns(model)[column].related_model if column in _columns(model) else None
    return related._meta.label_lower if isinstance(related, type) else ""


def _instant(model: str, column: str, value: object) -> datetime | None:
    """Return the time that a column of times has; None of other values, and of times that have no local one.

    Details of events may have any text under the name of such a column.
    """
    if not isinstance(value, str) or not isinstance(_columns(model).get(column), DateTimeField):
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if MIN_YEAR <= instant.year <= MAX_YEAR else None


@cache
def _columns(label: str) -> dict[str, Field[object, object]]:
    """Return the fields of a model by the names of their columns; none of a model that no longer exists."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return {}
    return {column.attname: column for column in model._meta.concrete_fields}


@cache
def _column_labels(label: str) -> dict[str, str]:
    return {name: _field_label(column.name, str(column.verbose_name)) for name, column in _columns(label).items()}


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
    if isinstance(value, int | float):
        return str(value).replace("-", "\N{MINUS SIGN}")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = str(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
