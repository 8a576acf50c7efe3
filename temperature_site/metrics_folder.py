"""The folder through which web processes share their metrics, which must never take a process down.

prometheus_client maps a sparse file for each process. When a page of it is first written while the disk is full, the
kernel ends the process (SIGBUS). So the disk space of each process's file is allocated before the library opens it;
where that fails the process keeps its metrics to itself.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import structlog

logger = structlog.get_logger(__name__)

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Some thousand series, more than there are routes, methods and statuses: the file never grows.
FILE_BYTES = 8 << 20
# All of the site's own metrics are histograms; the library names the files.
_FILE_NAME = "histogram_{pid}.db"


def prepare_folder(folder: Path) -> None:
    """Empty the folder of an earlier run, and have the processes share their metrics in it if it can be created."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[VARIABLE] = str(folder)
    except OSError as error:
        _give_up(error)


def allocate_file(folder: Path) -> None:
    """Allocate the file of this process, before it first imports prometheus_client; else it shares no metrics."""
    if VARIABLE not in os.environ:
        return
    path = folder / _FILE_NAME.format(pid=os.getpid())
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, FILE_BYTES)
    except OSError as error:
        path.unlink(missing_ok=True)
        _give_up(error)


def _give_up(error: OSError) -> None:
    os.environ.pop(VARIABLE, None)
    logger.warning("metrics of this process are not shared", error=str(error))
