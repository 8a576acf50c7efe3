"""Fields of the API's bodies, stricter than DRF's own: what can't be stored or meant is refused."""

from __future__ import annotations

import math
from typing import Any

from rest_framework import serializers

# Beyond any cold store, any size and any coordinate; keeps what is computed from it finite.
MOST = 1e9


class NumberField(serializers.FloatField):
    """A finite number. DRF's own takes true, "nan" and "inf", and falls over 10**400."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"min_value": -MOST, "max_value": MOST} | kwargs))

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool):
            self.fail("invalid")
        try:
            number = super().to_internal_value(data)
        except OverflowError:
            self.fail("invalid")
        if not math.isfinite(number):
            self.fail("invalid")
        return number
