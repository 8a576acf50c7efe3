"""Fields of temperatures: stored in °C, and returned in the requested scale or in that of the unit."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, cached_property

from rest_framework import serializers
from typing_extensions import override

from core.api.fields import labelled_choices
from core.api.serializer_rows import Representation, Row, SerializerRows
from readings.units.scales import Scale, difference_from_kelvin, from_celsius


class TemperatureField(serializers.FloatField):
    """A temperature whose `source` is in °C; `TemperatureRows` converts it."""


class DifferenceField(serializers.FloatField):
    """A temperature difference in kelvin, returned in degrees of the scale in the serializer's context."""

    @override
    def to_representation(self, value: float) -> float:  # type: ignore[override]  # the stubs say str
        return round(difference_from_kelvin(value, self.context["scale"]), 6)


class RequestedScaleField(serializers.ChoiceField):
    """The requested scale, which the view passes in the serializer's context as `scale`."""

    def __init__(self, *, help_text: str) -> None:
        super().__init__(labelled_choices(Scale), source="*", help_text=help_text)

    @override
    def to_representation(self, value: object) -> Scale:
        scale: Scale = self.context["scale"]
        return scale


class TemperatureRows(SerializerRows):
    """Rows whose temperatures are converted to the scale in their field `temperature_unit`."""

    @cached_property
    def _temperature_names(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if isinstance(field, TemperatureField))

    @override
    def represent(self, rows: Iterable[Row]) -> list[Representation]:
        return [self._converted(each, each["temperature_unit"]) for each in super().represent(rows)]

    def represent_in(self, scale: Scale, objects: Iterable[object]) -> list[Representation]:
        """Return the objects with their temperatures in `scale`."""
        representations = super().represent(map(self._attributes, objects))
        return [self._converted(each, scale) for each in representations]

    def _converted(self, representation: Representation, scale: Scale) -> Representation:
        for name in self._temperature_names:
            representation[name] = _on_scale(representation[name], scale)
        if "temperature_unit" in representation:
            representation["temperature_unit"] = scale
        return representation


class TemperatureListSerializer(serializers.ListSerializer[object]):
    """A nested list of many items, written by TemperatureRows in the scale in the context."""

    child: serializers.Serializer[object]

    @override
    def to_representation(self, data: Iterable[object]) -> list[Representation]:  # type: ignore[override]  # no querysets
        return _rows_of(type(self.child)).represent_in(self.context["scale"], data)


@cache
def _rows_of(serializer_class: type[serializers.Serializer[object]]) -> TemperatureRows:
    return TemperatureRows(serializer_class)


def _on_scale(temperature_c: float | None, scale: Scale) -> float | None:
    """Return a temperature on a scale, rounded to six decimals."""
    if temperature_c is None:
        return None
    return round(temperature_c if scale is Scale.CELSIUS else from_celsius(temperature_c, scale), 6)
