"""Have the memory allocators return what a large body took to the operating system, instead of keeping it for the next.

A process parses in several allocators: Python and libpq use the C library's, polars brings jemalloc. Both keep freed
memory for a while, each in an arena per thread, so that what a process takes would add up over the bodies it has seen.
"""

from __future__ import annotations

import ctypes
import os

# Read by jemalloc when polars is imported. Freed pages are returned at once rather than over ten seconds.
_JEMALLOC = "_RJEM_MALLOC_CONF"
_JEMALLOC_OPTIONS = "dirty_decay_ms:0,muzzy_decay_ms:0"
# Of glibc's mallopt: blocks from this size on are mapped, and unmapped when they are freed. Setting it also stops glibc
# from raising it to the largest block that was ever freed.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_OPTIONS = {_TRIM_THRESHOLD: 1 << 20, _MMAP_THRESHOLD: 256 << 10, _ARENA_MAX: 2}


def return_memory_early() -> None:
    """Set the allocators' options, before polars is imported. Other C libraries than glibc have no such options."""
    os.environ.setdefault(_JEMALLOC, _JEMALLOC_OPTIONS)
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for name, value in _OPTIONS.items():
            set_option(name, value)
