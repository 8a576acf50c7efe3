"""Forms that notice what others changed since they were opened.

A hidden field states the version of every value that the form was opened with. If a value that would be replaced has
another version by then, the form is shown again with what is stored now; saving it again replaces that knowingly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import wraps
from hashlib import sha256
from typing import TypeVar, cast

from django import forms
from django.contrib.auth.forms import ReadOnlyPasswordHashField
from django.db import models, transaction
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404
from typing_extensions import override

M = TypeVar("M", bound=models.Model)
# The hidden field of forms that change a single value and show it beside them.
OPENED = "opened"
_DIGITS = 12


class _VersionField(forms.CharField):
    """What the form was opened with, which nobody edits."""

    @override
    def has_changed(self, initial: object, data: object) -> bool:
        return False


class VersionedForm(forms.ModelForm[M]):
    """A model form with the versions of its values; its instance comes from `locked_for`, in an `atomic_post` view.

    In the admin it is the form of `core.web.admin.VersionedAdmin`.
    """

    VERSION = "version"
    version = _VersionField(required=False, label="", widget=forms.HiddenInput)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on
        if self.VERSION in self.fields:  # not on pages of the admin that only show an object
            self.fields[self.VERSION].initial = self._versions_text

    @override
    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound and not self.empty_permitted:
            self.cleaned_data.pop(self.VERSION, None)
            self._reject_changed_meanwhile()

    def _reject_changed_meanwhile(self) -> None:
        opened_with = _parsed(self.data.get(self.add_prefix(self.VERSION), ""))
        present = self._versions()
        changed = [name for name, version in present.items() if opened_with.get(name, version) != version]
        replaced = [name for name in changed if name in self.changed_data]
        if not replaced:
            return
        stored = "; ".join(f"{self[name].label}: {self._shown(name)}" for name in replaced)
        self.add_error(None, f"Changed meanwhile by somebody else, now stored: {stored}. Save again to replace it.")
        # The next time, what is shown now is known.
        data = cast("QueryDict", self.data).copy()
        data[self.add_prefix(self.VERSION)] = self._versions_text()
        self.data = data

    def _versions(self) -> dict[str, str]:
        """Return the version of each value of the object as it is stored, or of the initial values of a new one."""
        return {
            name: _version(_compared(field, self.get_initial_for_field(field, name)))
            for name, field in self.fields.items()
            if self._is_compared(name, field)
        }

    def _is_compared(self, name: str, field: forms.Field) -> bool:
        if name == self.VERSION or name not in (self._meta.fields or ()):
            return False
        return not isinstance(field, ReadOnlyPasswordHashField) and not isinstance(field.widget, forms.PasswordInput)

    def _versions_text(self) -> str:
        return json.dumps(self._versions(), separators=(",", ":"))

    def _shown(self, name: str) -> str:
        """Return the stored value as people read it."""
        field = self.fields[name]
        value = field.prepare_value(self.get_initial_for_field(field, name))
        if isinstance(field, forms.ChoiceField):
            labels = {str(each): str(label) for each, label in _flat(field.choices)}  # type: ignore[arg-type]  # an iterable
            values = value if isinstance(value, list | tuple) else [value]
            return ", ".join(labels.get(str(each), str(each)) for each in values if each is not None) or "–"
        return "–" if value in (None, "") else str(value)


def was_opened_with(request: HttpRequest, present: object) -> bool:
    """Return whether a form of a single value was opened with what is stored now; its field `opened` states it."""
    return request.POST.get(OPENED, str(present)) == str(present)


View = Callable[..., HttpResponseBase]


def atomic_post(view: View) -> View:
    """Carry POST requests of a page out in a transaction, in which what they change stays locked."""

    @wraps(view)
    def in_transaction(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        with transaction.atomic() if request.method == "POST" else nullcontext():
            return view(request, *args, **kwargs)

    return in_transaction


def locked_for(request: HttpRequest, row: M) -> M:
    """Return the row as it is now, locked until the end of the transaction if the request may change it.

    Raise Http404 if it has been deleted meanwhile.
    """
    if request.method != "POST" or row._state.adding:
        return row
    locked: M = get_object_or_404(type(row)._base_manager.select_for_update(no_key=True), pk=row.pk)
    return locked


def _compared(field: forms.Field, value: object) -> object:
    """Return what a version is of: the value as it is shown, and what else decides about the meaning of an entry."""
    compared: Callable[[object], object] = getattr(field, "compared_value", field.prepare_value)
    return compared(value)


def _version(value: object) -> str:
    comparable = sorted(map(str, value)) if isinstance(value, list | tuple | set) else value
    return sha256(repr(comparable).encode()).hexdigest()[:_DIGITS]


def _parsed(text: object) -> Mapping[str, object]:
    try:
        parsed = json.loads(str(text))
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _flat(choices: Iterable[tuple[object, object]]) -> Iterable[tuple[object, object]]:
    """Return choices without their groups."""
    for value, label in choices:
        if isinstance(label, list | tuple):
            yield from label
        else:
            yield value, label
