"""The machine and the process that respond to a request, for the operator."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from platform import uname_result

import psutil
from django.conf import settings


@dataclass(frozen=True, slots=True)
class Cpu:
    """The number of processors, and the load averaged over 1, 5 and 15 minutes."""

    count: int
    load_1m: float
    load_5m: float
    load_15m: float


@dataclass(frozen=True, slots=True)
class Space:
    """The size and usage of memory or of a disk, in bytes and percent."""

    total: int
    available: int
    used: int
    percent: float


@dataclass(frozen=True, slots=True)
class Process:
    """The responding process."""

    pid: int
    started_at: datetime
    memory_bytes: int
    memory_percent: float
    cpu_percent: float
    threads: int
    open_files: int


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """The machine and the responding process; `disk` is that of the data directory."""

    platform: str
    operating_system: uname_result
    python: str
    cpu: Cpu
    memory: Space
    disk: Space
    process: Process


def system_info() -> SystemInfo:
    """Return information about this machine and this process."""
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(settings.DATA_DIR))
    return SystemInfo(
        platform=platform.platform(),
        operating_system=platform.uname(),
        python=platform.python_version(),
        cpu=_cpu(),
        memory=Space(memory.total, memory.available, memory.used, memory.percent),
        disk=Space(disk.total, disk.free, disk.used, disk.percent),
        process=_process(psutil.Process()),
    )


def _cpu() -> Cpu:
    load_1m, load_5m, load_15m = (round(load, 2) for load in psutil.getloadavg())
    return Cpu(psutil.cpu_count() or 1, load_1m, load_5m, load_15m)


def _process(process: psutil.Process) -> Process:
    with process.oneshot():
        started_at = datetime.fromtimestamp(process.create_time(), UTC)
        cpu, lifetime = process.cpu_times(), datetime.now(UTC) - started_at
        return Process(
            pid=process.pid,
            started_at=started_at,
            memory_bytes=process.memory_info().rss,
            memory_percent=round(process.memory_percent(), 2),
            cpu_percent=round(100 * (cpu.user + cpu.system) / max(lifetime.total_seconds(), 0.01), 2),
            threads=process.num_threads(),
            open_files=process.num_fds(),
        )
