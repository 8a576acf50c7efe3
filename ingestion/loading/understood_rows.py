"""The first, a middle and the last row of a delivery as they were understood, for people to check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict, cast
from zoneinfo import ZoneInfo

from ingestion.parsing.fields.scale_reasons import ScaleOfColumn, scale_reason
from ingestion.parsing.results import ParsedBatch, UnitKey
from readings.units.formatting import exact_temperature_text

_MAX_RAW_CHARACTERS = 300


class KeptRow(TypedDict):
    """An UnderstoodRow as a delivery keeps it, in JSON."""

    position: str
    row_number: int
    facility_code: str
    unit_code: str
    sensor_code: str
    recorded_at: str
    time_zone: str
    temperature_c: float | None
    scale: str
    scale_reason: str


class _ParsedRow(TypedDict):
    facility_code: str | None
    unit_code: str
    sensor_code: str
    row_number: int
    recorded_at: datetime
    temperature_c: float | None
    scale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderstoodRow:
    """A row as it was understood. `position` is first, middle or last; `scale_reason` says why on this scale.

    `raw` is the beginning of its text, "" if that is not known any more.
    """

    position: str
    row_number: int
    facility_code: str
    unit_code: str
    sensor_code: str
    recorded_at: datetime
    time_zone: str
    temperature_c: float | None
    scale: str
    scale_reason: str
    raw: str = ""

    @property
    def local_time(self) -> datetime:
        """The time at the facility."""
        return self.recorded_at.astimezone(ZoneInfo(self.time_zone))

    @property
    def sent_text(self) -> str:
        """The temperature on the scale that was sent."""
        return exact_temperature_text(self.temperature_c, self.scale)

    @property
    def celsius_text(self) -> str:
        """The temperature in °C."""
        return exact_temperature_text(self.temperature_c, "C")

    def to_json(self) -> KeptRow:
        """Return what a delivery keeps of the row: not its text, which may contain secrets."""
        return KeptRow(
            position=self.position,
            row_number=self.row_number,
            facility_code=self.facility_code,
            unit_code=self.unit_code,
            sensor_code=self.sensor_code,
            recorded_at=self.recorded_at.isoformat(),
            time_zone=self.time_zone,
            temperature_c=self.temperature_c,
            scale=self.scale,
            scale_reason=self.scale_reason,
        )

    @classmethod
    def from_json(cls, kept: KeptRow) -> UnderstoodRow:
        """Return the row that a delivery keeps."""
        return cls(
            position=kept["position"],
            row_number=kept["row_number"],
            facility_code=kept["facility_code"],
            unit_code=kept["unit_code"],
            sensor_code=kept["sensor_code"],
            recorded_at=datetime.fromisoformat(kept["recorded_at"]),
            time_zone=kept["time_zone"],
            temperature_c=kept["temperature_c"],
            scale=kept["scale"],
            scale_reason=kept["scale_reason"],
        )


def raw_text(raw: str) -> str:
    """Return the beginning of a row's verbatim text."""
    return raw[:_MAX_RAW_CHARACTERS]


class _SampledRow:
    """A reading, if wanted with the beginning of its text, taken from its batch, which is not kept."""

    def __init__(self, batch: ParsedBatch, index: int, *, with_text: bool) -> None:
        self.values = cast("_ParsedRow", batch.readings.row(index, named=True))
        self.raw = raw_text(batch.raw_row(self.values["row_number"])) if with_text else ""


class RowSample:
    """Collects the first, a middle and the last reading of the batches of a body.

    `with_texts`: with the texts of their rows, which a delivery does not keep. Finding one separates the texts of all
    rows of its batch.
    """

    def __init__(self, *, with_texts: bool = False) -> None:
        self._with_texts = with_texts
        self._first: _SampledRow | None = None
        self._middles: list[tuple[int, _SampledRow]] = []
        self._last: _SampledRow | None = None
        self._count = 0
        self._scales: tuple[ScaleOfColumn, ...] = ()

    def add(self, batch: ParsedBatch) -> None:
        """Take the rows of a batch that may be sampled."""
        self._scales = self._scales or batch.scales
        count = len(batch.readings)
        if not count:
            return
        self._first = self._first or self._row(batch, 0)
        self._middles.append((self._count + count // 2, self._row(batch, count // 2)))
        self._last = self._row(batch, count - 1)
        self._count += count

    def _row(self, batch: ParsedBatch, index: int) -> _SampledRow:
        return _SampledRow(batch, index, with_text=self._with_texts)

    def rows(self, time_zones: Mapping[UnitKey, str]) -> list[UnderstoodRow]:
        """Return the sampled rows, with the time at their facility; fewer of a body with fewer than three readings."""
        return [
            UnderstoodRow(
                position=position,
                row_number=row.values["row_number"],
                facility_code=row.values["facility_code"] or "",
                unit_code=row.values["unit_code"],
                sensor_code=row.values["sensor_code"],
                recorded_at=row.values["recorded_at"],
                time_zone=time_zones.get((row.values["facility_code"], row.values["unit_code"]), "UTC"),
                temperature_c=row.values["temperature_c"],
                scale=row.values["scale"],
                scale_reason=scale_reason(self._scales, row.values["sensor_code"], row.values["scale"]),
                raw=row.raw,
            )
            for position, row in self._sampled().items()
        ]

    def _sampled(self) -> dict[str, _SampledRow]:
        if self._first is None or self._last is None:
            return {}
        _, middle = min(self._middles, key=lambda each: abs(each[0] - self._count / 2))
        rows = {"first": self._first, "middle": middle, "last": self._last}
        wanted = {1: ("first",), 2: ("first", "last")}.get(self._count, tuple(rows))
        return {position: rows[position] for position in wanted}
