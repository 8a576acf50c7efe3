"""The machine and the process that answer a request, for the operator."""

from __future__ import annotations

import platform
from datetime import UTC, datetime

import psutil
from django.conf import settings


def system_info() -> dict[str, object]:
    """Return the fields of SystemInfoSerializer."""
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(settings.DATA_DIR))
    load_1m, load_5m, load_15m = psutil.getloadavg()
    return {
        "platform": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "python": platform.python_version(),
        "cpu": {
            "count": psutil.cpu_count() or 1,
            "load_1m": round(load_1m, 2),
            "load_5m": round(load_5m, 2),
            "load_15m": round(load_15m, 2),
        },
        "memory": _space(memory.total, memory.available, memory.percent),
        "disk": _space(disk.total, disk.free, disk.percent),
        "process": _process(psutil.Process()),
    }


def _space(total: int, available: int, used_percent: float) -> dict[str, object]:
    return {"total_bytes": total, "available_bytes": available, "used_percent": used_percent}


def _process(process: psutil.Process) -> dict[str, object]:
    with process.oneshot():
        return {
            "pid": process.pid,
            "started_at": datetime.fromtimestamp(process.create_time(), UTC),
            "memory_bytes": process.memory_info().rss,
            "threads": process.num_threads(),
            "open_files": process.num_fds(),
        }
