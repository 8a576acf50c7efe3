"""Form fields that choose storage units, grouped by facility: units of different facilities may have the same name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from django import forms
from django.db.models import QuerySet
from django.forms.models import ModelChoiceIterator
from typing_extensions import override

from core.scope import Scope
from core.web.pages import name_key
from customers.models import Customer, StorageUnit


class _GroupedByFacility(ModelChoiceIterator[StorageUnit]):
    """The choices of a unit field: an optional empty one, and the units of each facility in a group."""

    @override
    def __iter__(self) -> Iterator[tuple[str, object]]:  # type: ignore[override]  # the stub knows no groups
        field = self.field
        if field.empty_label is not None:
            yield "", field.empty_label
        for facility, units in groupby(self.queryset, key=lambda unit: unit.facility):
            yield str(facility), [self.choice(unit) for unit in sorted(units, key=lambda unit: name_key(str(unit)))]


class UnitChoiceField(forms.ModelChoiceField[StorageUnit]):
    """One storage unit."""

    iterator = _GroupedByFacility


class UnitsChoiceField(forms.ModelMultipleChoiceField[StorageUnit]):
    """Any number of storage units."""

    iterator = _GroupedByFacility


def selectable_units(customer: Customer, scope: Scope) -> QuerySet[StorageUnit]:
    """Return the customer's real units within `scope` in the order of the choices."""
    units: QuerySet[StorageUnit] = StorageUnit.objects.visible_to(scope)
    units = units.filter(facility__customer=customer, is_synthetic=False).select_related("facility")
    return units.order_by("facility__name", "facility__facility_code", "facility_id", "name", "unit_code")
