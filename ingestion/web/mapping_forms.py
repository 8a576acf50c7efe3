"""The mapping editor: the settings of a mapping, and the table of columns that a person assigns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from zoneinfo import available_timezones

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.http import QueryDict

from core.web.versioned_forms import VersionedForm
from customers.models import TemperatureUnit
from ingestion.imports.mappings import MAPPING_FIELDS, ROLES, ColumnError, assign_columns
from ingestion.models import ImportFile, Source, SourceMapping
from ingestion.parsing.head import BodyHead
from ingestion.sources import SettingError

COLUMN = "column-"
MAIN_SETTINGS = ("time_zone", "time_format", "scale", "several_temperatures")
_ASSIGNED = frozenset(f"{role}_field" for role in ROLES)
FURTHER_SETTINGS = tuple(name for name in MAPPING_FIELDS if name not in MAIN_SETTINGS and name not in _ASSIGNED)
TIME_ZONES = sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


class MappingForm(VersionedForm[SourceMapping]):
    """The settings of a mapping other than its columns; saved together with them."""

    columns: Mapping[int, str] = {}
    head = BodyHead()

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"] = forms.ChoiceField(
            choices=[(zone, zone) for zone in TIME_ZONES], help_text="For times without an offset."
        )
        self.fields["time_zone"].initial = self.instance.time_zone
        self.fields["scale"] = forms.ChoiceField(
            choices=[("", "As the data says"), *TemperatureUnit.choices],
            required=False,
            help_text=self.fields["scale"].help_text,
        )
        for name in ("null_values", "error_values"):
            self.fields[name] = SimpleArrayField(
                forms.CharField(max_length=40),
                required=False,
                label=self.fields[name].label,
                help_text=self.fields[name].help_text,
            )

    @property
    def main(self) -> list[forms.BoundField]:
        """The settings that most files need."""
        return [self[name] for name in MAIN_SETTINGS]

    @property
    def further(self) -> list[forms.BoundField]:
        """All other settings."""
        return [self[name] for name in FURTHER_SETTINGS]

    @property
    def has_further_error(self) -> bool:
        """Whether one of the further settings was rejected."""
        return bool(self.errors.keys() & set(FURTHER_SETTINGS))

    def clean(self) -> dict[str, object]:
        """Assign the columns and check the whole mapping."""
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        cleaned["readings_path"] = cleaned.get("readings_path") or self.head.rows_path
        for name in (*MAIN_SETTINGS, *FURTHER_SETTINGS):
            if name in cleaned:
                setattr(self.instance, name, cleaned[name])
        try:
            assign_columns(self.instance, self.head.columns, self.columns)
            self.instance.mapping  # noqa: B018  building the mapping validates it
        except ColumnError as error:
            self.add_error(None, str(error))
        except SettingError as error:
            self.add_error(error.field if error.field in self.fields else None, str(error))
        return cleaned


def _form_for(model: type[SourceMapping]) -> type[MappingForm]:
    fields = [*MAIN_SETTINGS, *FURTHER_SETTINGS]
    return cast("type[MappingForm]", forms.modelform_factory(model, form=MappingForm, fields=fields))


_FORMS: Mapping[type[SourceMapping], type[MappingForm]] = {
    ImportFile: _form_for(ImportFile),
    Source: _form_for(Source),
}


def mapping_form(instance: SourceMapping, head: BodyHead, data: QueryDict | None = None) -> MappingForm:
    """Return the form for the mapping of an imported file or a source, with the columns of `head`."""
    form: MappingForm = _FORMS[type(instance)](data, instance=instance)
    form.head = head
    form.columns = assigned_columns(data, len(head.columns)) if data is not None else {}
    return form


def save_columns_and_settings(form: MappingForm) -> None:
    """Save the mapping of a valid form, and nothing else of its object."""
    form.instance.save(update_fields=list(MAPPING_FIELDS))


def assigned_columns(data: QueryDict, count: int) -> dict[int, str]:
    """Return the role of each column that the form sent."""
    roles = {position: data.get(f"{COLUMN}{position}") for position in range(count)}
    return {position: role for position, role in roles.items() if role is not None and (role == "" or role in ROLES)}


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """A column of the table, with the name of its select box and its role."""

    position: int
    name: str
    role: str
    samples: tuple[str, ...]

    @property
    def field_name(self) -> str:
        """The name of the select box."""
        return f"{COLUMN}{self.position}"


def column_choices(head: BodyHead) -> list[ColumnChoice]:
    """Return the columns as a page shows them; what cannot be assigned, such as a quantity, has no role."""
    return [
        ColumnChoice(position, column.name, column.field if column.field in ROLES else "", column.samples)
        for position, column in enumerate(head.columns)
    ]
