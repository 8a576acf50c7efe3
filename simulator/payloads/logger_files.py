"""Shape 6: exports of data loggers, one file per unit, in the facility's local time."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from simulator.base.instants import moment_of
from simulator.base.seeded_random import fraction, key_of, uniform
from simulator.model.series import Rows, UnitSeries

# strftime formats of local times without an offset; "european" has no seconds.
LOGGER_TIMES = {
    "iso": "%Y-%m-%d %H:%M:%S",
    "european": "%d/%m/%Y %H:%M",
    "american": "%m/%d/%Y %I:%M:%S %p",
}
_COLUMNS = {"C": "Temperature(°C)", "F": "Temp °F"}
_ALARM_BEYOND_THOUSANDTHS = 2_000


def logger_file_name(series: UnitSeries) -> str:
    """Return a file name with the code of the unit, as people choose for such files."""
    return f"{series.unit.code}.csv"


def logger_texts(series: UnitSeries, pieces: Iterator[Rows], time_format: str) -> Iterator[tuple[str, int]]:
    """Yield the file in parts, each with its number of readings: preamble and header first, then rows."""
    yield "\n".join(_preamble(series)) + "\n", 0
    time_zone = ZoneInfo(series.facility.time_zone)
    for rows in pieces:
        yield "".join(_lines(series, rows, time_zone, LOGGER_TIMES[time_format])), rows.size


def _preamble(series: UnitSeries) -> Sequence[str]:
    unit = series.unit
    return (
        "Logger: TL-20",
        f"Serial number: {100_000 + int(fraction(key_of(series.key, 'serial')) * 900_000)}",
        f"Description: {unit.name or unit.code}",
        f"Interval: {unit.reading_every_seconds} s",
        f"Time zone: local ({series.facility.time_zone})",
        f"Date/Time,{_COLUMNS[unit.temperature_unit]},Humidity(%RH),Alarm",
    )


def _lines(series: UnitSeries, rows: Rows, time_zone: ZoneInfo, strftime: str) -> Iterator[str]:
    humidities = (40.0 + 20.0 * uniform(key_of(series.key, "humidity"), rows.indexes)).tolist()
    target = round(series.unit.set_temperature * 1_000)
    for instant_us, thousandths, measured, humidity in zip(
        rows.recorded_us.tolist(), rows.thousandths.tolist(), rows.measured.tolist(), humidities, strict=True
    ):
        local: datetime = moment_of(instant_us).astimezone(time_zone)
        temperature = repr(thousandths / 1_000) if measured else ""
        alarm = "*" if measured and abs(thousandths - target) > _ALARM_BEYOND_THOUSANDTHS else ""
        yield f"{local.strftime(strftime)},{temperature},{humidity:.1f},{alarm}\n"
