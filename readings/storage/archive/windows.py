"""Reading files page by page: a few windows of time that were read last remain in memory.

A file has the readings of a unit next to each other, so that those of an hour of all units take almost as long to read
as those of a day. Pages of a list are read one after the other: the next ones are in the window already.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

from readings.archive_models import ArchiveFile
from readings.storage.archive import files
from readings.storage.archive.rows import ArrivedBatch

ROWS_A_WINDOW = 200_000
MOST_WINDOWS = 8
_MONTH = timedelta(days=31)


class _Window(NamedTuple):
    first: datetime
    last: datetime
    rows: ArrivedBatch


_Key = tuple[str, tuple[int, ...]]
_windows: OrderedDict[_Key, _Window] = OrderedDict()
_lock = Lock()


def read(file: ArchiveFile, unit_ids: list[int], first: datetime, last: datetime) -> ArrivedBatch:
    """Return the rows of these units, both instants included, in order of their key. Raise ArchiveUnavailable."""
    key = (file.sha256, tuple(unit_ids))
    with _lock:
        window = _windows.get(key)
        if window is not None:
            _windows.move_to_end(key)
    if window is None or first < window.first or last > window.last:
        window = _read_window(file, unit_ids, first, last)
        if len(window.rows) <= 2 * ROWS_A_WINDOW:
            with _lock:
                _windows[key] = window
                while len(_windows) > MOST_WINDOWS:
                    _windows.popitem(last=False)
    return window.rows.between(first, last)


def forget() -> None:
    """Read everything from the files again."""
    with _lock:
        _windows.clear()


def _read_window(file: ArchiveFile, unit_ids: list[int], first: datetime, last: datetime) -> _Window:
    """Read a wider window: mostly earlier rows, as lists begin with the newest."""
    units_in_file = max(file.unit_count, len(unit_ids))
    expected = max(file.reading_count * len(unit_ids) / units_in_file, 1)
    window = _around(first, last, min(_MONTH * (ROWS_A_WINDOW / expected), _MONTH))
    rows = ArrivedBatch.of(files.read(file, unit_ids, *window))
    if len(rows) > 2 * ROWS_A_WINDOW:
        # Its rows are not spread over the whole month.
        window = _around(first, last, (window[1] - window[0]) * (ROWS_A_WINDOW / len(rows)))
        rows = rows.between(*window)
    return _Window(*window, rows)


def _around(first: datetime, last: datetime, width: timedelta) -> tuple[datetime, datetime]:
    return min(first, last - width), max(last, first + width / 8)
