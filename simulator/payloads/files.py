"""History as files: the same bodies as served over HTTP, written in parts so that memory stays constant."""

from collections.abc import Callable, Iterator
from pathlib import Path

from simulator.model.series import Rows, UnitSeries
from simulator.model.simulation import SimulatedCustomer, Window
from simulator.payloads.bodies import Body
from simulator.payloads.envelopes import csv_body, current_body
from simulator.payloads.logger_files import logger_file_name, logger_texts

# Called with the number of rows written since the last call.
Progress = Callable[[int], object]


def write_csv(served: SimulatedCustomer, window: Window, folder: Path, progress: Progress) -> list[Path]:
    """Write `<customer>.csv` (`.csv.gz` if its downloads are gzipped) in shape 2; no file without rows."""
    body = csv_body(served, window)
    if body is None:
        return []
    return [_write(body, folder / f"{served.customer.code}.csv{'.gz' if body.gzip else ''}", progress)]


def write_json(served: SimulatedCustomer, window: Window, folder: Path, progress: Progress) -> list[Path]:
    """Write `<customer>.json` in shape 1."""
    return [_write(current_body(served, window), folder / f"{served.customer.code}.json", progress)]


def write_loggers(
    served: SimulatedCustomer, window: Window, folder: Path, progress: Progress, time_format: str
) -> list[Path]:
    """Write `loggers/<customer>/<unit>.csv` in shape 6."""
    paths = []
    customer_folder = folder / "loggers" / served.customer.code
    customer_folder.mkdir(parents=True, exist_ok=True)
    for series in served.all_series:
        path = customer_folder / logger_file_name(series)
        with path.open("w", encoding="utf-8") as file:
            for text, rows in logger_texts(series, _pieces(served, series, window), time_format):
                file.write(text)
                progress(rows)
        paths.append(path)
    return paths


def seconds_for_rows(customers: list[SimulatedCustomer], rows: int) -> int:
    """Return the seconds in which these customers together produce about this many rows."""
    per_second = sum(1.0 / series.unit.reading_every_seconds for served in customers for series in served.all_series)
    return max(1, round(rows / per_second))


def _pieces(served: SimulatedCustomer, series: UnitSeries, window: Window) -> Iterator[Rows]:
    for pieces in served.pieces([series], window):
        yield from (piece.rows for piece in pieces)


def _write(body: Body, path: Path, progress: Progress) -> Path:
    with path.open("wb") as file:
        for chunk in body.chunks():
            file.write(chunk.data)
            progress(chunk.rows)
    return path
