"""Fields of temperatures: stored in °C, and returned in the requested scale or in that of the unit."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from rest_framework import serializers
from typing_extensions import override

from core.api.fields import labelled_choices
from core.api.serializer_rows import Representation, Row, SerializerRows
from readings.statistics.aggregates import on_scale
from readings.units.scales import Scale, difference_from_kelvin


class TemperatureField(serializers.FloatField):
    """A temperature whose `source` is in °C; `TemperatureRows` converts it."""


class DifferenceField(serializers.FloatField):
    """A temperature difference in kelvin, returned in degrees of the scale in the serializer's context."""

    @override
    def to_representation(self, value: float) -> float:  # type: ignore[override]  # the stubs say str
        return round(difference_from_kelvin(value, self.context["scale"]), 6)


class RequestedScaleField(serializers.ChoiceField):
    """The scale in the serializer's context."""

    def __init__(self, *, help_text: str) -> None:
        super().__init__(labelled_choices(Scale), source="*", help_text=help_text)

    @override
    def to_representation(self, value: object) -> Scale:
        scale: Scale = self.context["scale"]
        return scale


class TemperatureRows(SerializerRows):
    """Rows whose temperatures are converted to the scale in their field `temperature_unit`."""

    @cached_property
    def _temperatures(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if isinstance(field, TemperatureField))

    @override
    def represent(self, rows: Iterable[Row]) -> list[Representation]:
        return [self._converted(each, each["temperature_unit"]) for each in super().represent(rows)]

    def represent_in(self, scale: Scale, objects: Iterable[object]) -> list[Representation]:
        """Return the objects with their temperatures in `scale`."""
        representations = super().represent(map(self._attributes, objects))
        return [self._converted(each, scale) for each in representations]

    def _converted(self, representation: Representation, scale: Scale) -> Representation:
        for name in self._temperatures:
            representation[name] = on_scale(representation[name], scale)
        if "temperature_unit" in representation:
            representation["temperature_unit"] = scale
        return representation
