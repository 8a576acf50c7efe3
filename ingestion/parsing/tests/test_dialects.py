"""A table in any of 200 dialects is read back exactly, or refused: never with another value, time, scale or sensor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.parsing.results import UnreadableBody
from ingestion.parsing.tests.parsing import parse
from ingestion.sources.mapping import FieldMapping
from readings.units.scales import from_celsius

# The scale, or "" for one that only a column gives, behind each title.
TITLES = {
    "Temperature(°C)": "C", "Temp °F": "F", "temp_f": "F", "TempF": "F", "Temperature_Fahrenheit": "F",
    "Temp, °F (LGR S/N: 1)": "F", "Temperature [deg. F]": "F", "Temp (K)": "K", "Temperature (Â°F)": "F",
    "temperature": "", "Temp": "",
}  # fmt: skip
TIMES = {
    "%Y-%m-%d %H:%M:%S": "", "%Y-%m-%dT%H:%M:%S": "", "%d/%m/%Y %H:%M:%S": "", "%m/%d/%Y %I:%M:%S %p": "",
    "%d.%m.%Y %H:%M:%S": "", "%d %b %Y %H:%M:%S": "", "%Y-%m-%dT%H:%M:%SZ": "Z", "%b %d, %Y %H:%M:%S": "",
    "%d/%m/%y %H:%M:%S": "",
}  # fmt: skip
ZONES = ("UTC", "Europe/Madrid", "America/New_York")
START = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Dialect:
    """How a logger writes its table. `seed` varies what does not change the meaning."""

    delimiter: str
    decimal_mark: str
    title: str
    time_format: str
    zone: str
    has_scale_column: bool
    is_descending: bool
    repeats_header: bool
    seed: int

    @property
    def scale(self) -> str:
        return TITLES[self.title] or ("F" if self.has_scale_column else "C")

    def write(self, rows: list[tuple[datetime, float]]) -> str:
        """Return the rows as a table."""
        random = Random(self.seed)
        titles = ["Time", self.title, *(["Unit"] if self.has_scale_column else []), "Humidity"]
        header = self.delimiter.join(f'"{title}"' if self.delimiter in title else title for title in titles)
        lines = ["Serial: 17"] * random.randint(0, 1) + [header]
        ordered = sorted(rows, reverse=self.is_descending)
        for number, (at, celsius) in enumerate(ordered):
            if self.repeats_header and number and number % 3 == 0:
                lines.append(header)
            lines.append(self.delimiter.join(self._cells(at, celsius)))
        return "\n".join(lines) + random.choice(["\n", "", "\n\n"])

    def _cells(self, at: datetime, celsius: float) -> list[str]:
        local = at if "Z" in self.time_format else at.astimezone(ZoneInfo(self.zone))
        number = f"{from_celsius(celsius, self.scale):.2f}".replace(".", self.decimal_mark)
        number = f'"{number}"' if self.decimal_mark == self.delimiter else number
        cells = [local.strftime(self.time_format), number, *([self.scale] if self.has_scale_column else []), "55"]
        return [f'"{cell}"' if self.delimiter in cell and not cell.startswith('"') else cell for cell in cells]


def dialects() -> list[Dialect]:
    """Return 200 of all combinations, the same ones each time."""
    combinations = list(product(",;\t|", ".,", TITLES, TIMES, ZONES, (False, True), (False, True), (False, True)))
    chosen = Random(12).sample(combinations, 200)
    return [Dialect(*parts, seed=seed) for seed, parts in enumerate(chosen)]


DIALECTS = dialects()
temperatures = st.decimals(-80, 60, places=1).map(float)
tables = st.lists(temperatures, min_size=1, max_size=9)


@pytest.mark.parametrize("part", range(4))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_table_in_any_dialect_is_read_back_exactly_or_refused(part: int, data: st.DataObject) -> None:
    dialect = data.draw(st.sampled_from(DIALECTS[part::4]))
    values = data.draw(tables)
    minutes = data.draw(st.sampled_from([1, 15, 60, 1440, 2880]))
    rows = [(START + timedelta(minutes=minutes * index), value) for index, value in enumerate(values)]

    try:
        parsed = parse(dialect.write(rows), FieldMapping(time_zone=dialect.zone), file_name="Freezer.csv")
    except UnreadableBody:
        return

    sent = {at: round(from_celsius(value, dialect.scale), 2) for at, value in rows}
    for row in parsed.rows:
        assert (row["unit_code"], row["sensor_code"], row["scale"]) == ("Freezer", "", dialect.scale)
        assert round(from_celsius(row["temperature_c"], row["scale"]), 4) == sent[row["recorded_at"]]
    assert len(parsed.rows) + len(parsed.rejected) == len(rows)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: str(dialect.seed))
def test_most_dialects_are_read_without_any_settings(dialect: Dialect) -> None:
    # Days after the 12th show the order of day and month.
    rows = [(START + timedelta(days=day, minutes=day), -18.5 + day) for day in range(12)]

    mapping = FieldMapping(time_zone=dialect.zone)
    parsed = parse(dialect.write(rows), mapping, file_name="Freezer.csv")

    assert sorted(row["recorded_at"] for row in parsed.rows) == [at for at, _ in rows]
